import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { Actor } from '../../tenancy/index.js';
import { ChangeLog } from '../change-log.js';
import { FaultList, refusal } from '../fault-list.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { mayAdminister, mayView } from '../permissions.js';
import { RowNotFoundError } from '../provisioning.errors.js';
import type { CreateLocation, Location, LocationField } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';
import { LocationsRepository } from './locations.repository.js';

/** The sites of the deployment, in which compute resources stand: everybody's, kept by administrators. */
@Injectable()
export class LocationsService {
  constructor(
    private readonly locations: LocationsRepository,
    private readonly changes: ChangeLog,
    private readonly uow: UnitOfWork,
  ) {}

  /** @throws NotPermittedError */
  list(actor: Actor, query: RowQuery<LocationField>): Promise<RowPage<Location>> {
    mayView(actor, 'view_locations');
    return this.locations.page(query);
  }

  /** @throws NotPermittedError, RowNotFoundError */
  async get(actor: Actor, key: RowKey): Promise<Location> {
    mayView(actor, 'view_locations');
    const found = await this.locations.find(key);
    if (!found) throw new RowNotFoundError('location', key.name);
    return found;
  }

  /** Before what it is to be is read. @throws NotPermittedError */
  mayCreate(actor: Actor): void {
    mayAdminister(actor, 'create_locations');
  }

  /** @throws NotPermittedError, RecordInvalidError */
  async create(actor: Actor, wanted: CreateLocation): Promise<Location> {
    this.mayCreate(actor);
    check(null, wanted);
    return this.storing(null, async () => {
      const created = await this.locations.insert(wanted.name, wanted.description);
      await this.changes.record(actor, 'location', 'created', created);
      return created;
    });
  }

  /** @throws NotPermittedError, RowNotFoundError, RecordInvalidError */
  async update(actor: Actor, key: RowKey, change: Partial<CreateLocation>): Promise<Location> {
    mayAdminister(actor, 'edit_locations');
    const { id } = await this.get(actor, key);
    return this.storing(id, async () => {
      const found = await this.locations.findForUpdate(id);
      if (!found) throw new RowNotFoundError('location', key.name);
      const wanted = { ...found, ...change };
      if (wanted.name === found.name && wanted.description === found.description) return found;
      check(id, wanted);
      const changed = await this.locations.update(id, wanted.name, wanted.description);
      await this.changes.record(actor, 'location', 'updated', changed);
      return changed;
    });
  }

  /**
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError a provisioning image is in no other one
   */
  remove(actor: Actor, key: RowKey): Promise<Location> {
    return this.uow.run(async () => {
      mayAdminister(actor, 'destroy_locations');
      const { id } = await this.get(actor, key);
      const found = await this.locations.findForUpdate(id);
      if (!found) throw new RowNotFoundError('location', key.name);
      // Whoever removes another location now, or adds an image, is seen here or sees this one gone.
      await this.locations.lockComputeResources(id);
      const names = await this.locations.soleImages(id);
      if (names.length > 0) throw refusal('location', id, 'base', { reason: 'in_use', names });
      await this.locations.remove(id);
      await this.changes.record(actor, 'location', 'deleted', found);
      return found;
    });
  }

  private async storing(id: number | null, work: () => Promise<Location>): Promise<Location> {
    try {
      return await this.uow.run(work);
    } catch (error) {
      if (isUniqueViolation(error)) throw refusal('location', id, 'name', { reason: 'taken' });
      throw error;
    }
  }
}

function check(id: number | null, { name, description }: CreateLocation): void {
  const faults = new FaultList();
  faults.required('name', name);
  faults.short('description', description);
  faults.check('location', id);
}
