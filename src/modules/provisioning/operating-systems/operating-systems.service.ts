import { Injectable } from '@nestjs/common';
import { isMissingReference, isUniqueViolation } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { Actor } from '../../tenancy/index.js';
import { ArchitecturesRepository } from '../architectures/architectures.repository.js';
import { ChangeLog } from '../change-log.js';
import { FaultList, refusal } from '../fault-list.js';
import { ImageMentionsRepository } from '../image-mentions.repository.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { mayAdminister, mayView } from '../permissions.js';
import { RowNotFoundError } from '../provisioning.errors.js';
import type {
  CreateOperatingSystem,
  OperatingSystem,
  OperatingSystemDetail,
  OperatingSystemField,
  Within,
} from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';
import { OperatingSystemsRepository } from './operating-systems.repository.js';

/** Longest parts of a version, as Foreman's table has them: with a long name, longer ones fit no index. */
const MAJOR_MAXIMUM = 5;
const MINOR_MAXIMUM = 16;

type Values = Omit<CreateOperatingSystem, 'architectureIds'>;

/** The operating systems that provisioning images hold: everybody's, kept by administrators. */
@Injectable()
export class OperatingSystemsService {
  constructor(
    private readonly systems: OperatingSystemsRepository,
    private readonly architectures: ArchitecturesRepository,
    private readonly mentions: ImageMentionsRepository,
    private readonly changes: ChangeLog,
    private readonly uow: UnitOfWork,
  ) {}

  /** @throws NotPermittedError */
  list(actor: Actor, query: RowQuery<OperatingSystemField>): Promise<RowPage<OperatingSystem>> {
    mayView(actor, 'view_operatingsystems');
    return this.systems.page(query);
  }

  /** @throws NotPermittedError, RowNotFoundError */
  async get(actor: Actor, key: RowKey): Promise<OperatingSystem> {
    mayView(actor, 'view_operatingsystems');
    const found = await this.systems.find(key);
    if (!found) throw new RowNotFoundError('operatingsystem', key.name);
    return found;
  }

  /** With what refers to it, as far as the actor sees it. @throws NotPermittedError, RowNotFoundError */
  async describe(actor: Actor, within: Within, key: RowKey): Promise<OperatingSystemDetail> {
    const row = await this.get(actor, key);
    return {
      row,
      architectures: await this.systems.architectures(row.id),
      images: await this.mentions.of('operating_system_id', row.id, actor.projectId, within),
    };
  }

  /** Before what it is to be is read. @throws NotPermittedError */
  mayCreate(actor: Actor): void {
    mayAdminister(actor, 'create_operatingsystems');
  }

  /** @throws NotPermittedError, RecordInvalidError */
  create(actor: Actor, wanted: CreateOperatingSystem): Promise<OperatingSystem> {
    this.mayCreate(actor);
    check(null, wanted, null);
    return this.storing(null, async () => {
      const created = await this.systems.insert(wanted);
      await this.setArchitectures(created.id, wanted.architectureIds, null);
      await this.changes.record(actor, 'operating_system', 'created', created);
      return created;
    });
  }

  /** @throws NotPermittedError, RowNotFoundError, RecordInvalidError */
  async update(actor: Actor, key: RowKey, change: Partial<CreateOperatingSystem>): Promise<OperatingSystem> {
    mayAdminister(actor, 'edit_operatingsystems');
    const { id } = await this.get(actor, key);
    return this.storing(id, async () => {
      const found = await this.systems.findForUpdate(id);
      if (!found) throw new RowNotFoundError('operatingsystem', key.name);
      const wanted = { ...found, ...change };
      check(id, wanted, found);
      if (change.architectureIds) await this.setArchitectures(id, change.architectureIds, id);
      const changed = await this.systems.update(id, wanted);
      await this.changes.record(actor, 'operating_system', 'updated', changed);
      return changed;
    });
  }

  /**
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError a provisioning image holds it
   */
  async remove(actor: Actor, key: RowKey): Promise<OperatingSystem> {
    mayAdminister(actor, 'destroy_operatingsystems');
    const found = await this.get(actor, key);
    try {
      await this.uow.run(async () => {
        if (!(await this.systems.remove(found.id))) throw new RowNotFoundError('operatingsystem', key.name);
        await this.changes.record(actor, 'operating_system', 'deleted', found);
      });
    } catch (error) {
      if (!isMissingReference(error)) throw error;
      const names = await this.mentions.names('operating_system_id', found.id);
      throw refusal('operatingsystem', found.id, 'base', { reason: 'in_use', names });
    }
    return found;
  }

  /** @param knownId null: nobody knows the system yet */
  private async setArchitectures(id: number, architectureIds: readonly number[], knownId: number | null) {
    const existing = new Set(await this.architectures.existing(architectureIds));
    if (!architectureIds.every((each) => existing.has(each))) {
      throw refusal('operatingsystem', knownId, 'architectures', { reason: 'missing' });
    }
    await this.systems.setArchitectures(id, architectureIds);
  }

  private async storing(id: number | null, work: () => Promise<OperatingSystem>): Promise<OperatingSystem> {
    try {
      return await this.uow.run(work);
    } catch (error) {
      if (isUniqueViolation(error, 'operating_systems_title_unique')) {
        throw refusal('operatingsystem', id, 'title', { reason: 'taken' });
      }
      if (isUniqueViolation(error)) throw refusal('operatingsystem', id, 'base', { reason: 'taken' });
      throw error;
    }
  }
}

/** @param before what may stay as it is, since configurations give versions of any length; null: nothing */
function check(id: number | null, wanted: Values, before: Values | null): void {
  const faults = new FaultList();
  faults.required('name', wanted.name);
  if (/\s/.test(wanted.name.trim())) faults.add('name', { reason: 'white_space' });
  if (wanted.major !== before?.major) faults.required('major', wanted.major, MAJOR_MAXIMUM);
  if (wanted.minor !== before?.minor) faults.short('minor', wanted.minor, MINOR_MAXIMUM);
  faults.short('description', wanted.description);
  faults.short('family', wanted.family);
  faults.short('releaseName', wanted.releaseName);
  faults.short('passwordHash', wanted.passwordHash);
  faults.check('operatingsystem', id);
}
