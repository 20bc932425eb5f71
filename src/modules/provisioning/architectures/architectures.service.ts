import { Injectable } from '@nestjs/common';
import { isMissingReference, isUniqueViolation } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { Actor } from '../../tenancy/index.js';
import { ChangeLog } from '../change-log.js';
import { FaultList, refusal } from '../fault-list.js';
import { ImageMentionsRepository } from '../image-mentions.repository.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { mayAdminister, mayView } from '../permissions.js';
import { RowNotFoundError } from '../provisioning.errors.js';
import type { Architecture, ArchitectureDetail, ArchitectureField, Within } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';
import { ArchitecturesRepository } from './architectures.repository.js';

/** The architectures that provisioning images are for: everybody's, kept by administrators. */
@Injectable()
export class ArchitecturesService {
  constructor(
    private readonly architectures: ArchitecturesRepository,
    private readonly mentions: ImageMentionsRepository,
    private readonly changes: ChangeLog,
    private readonly uow: UnitOfWork,
  ) {}

  /** @throws NotPermittedError */
  list(actor: Actor, query: RowQuery<ArchitectureField>): Promise<RowPage<Architecture>> {
    mayView(actor, 'view_architectures');
    return this.architectures.page(query);
  }

  /** @throws NotPermittedError, RowNotFoundError */
  async get(actor: Actor, key: RowKey): Promise<Architecture> {
    mayView(actor, 'view_architectures');
    const found = await this.architectures.find(key);
    if (!found) throw new RowNotFoundError('architecture', key.name);
    return found;
  }

  /** With what refers to it, as far as the actor sees it. @throws NotPermittedError, RowNotFoundError */
  async describe(actor: Actor, within: Within, key: RowKey): Promise<ArchitectureDetail> {
    const row = await this.get(actor, key);
    return {
      row,
      operatingSystems: await this.architectures.operatingSystems(row.id),
      images: await this.mentions.of('architecture_id', row.id, actor.projectId, within),
    };
  }

  /** Before what it is to be is read. @throws NotPermittedError */
  mayCreate(actor: Actor): void {
    mayAdminister(actor, 'create_architectures');
  }

  /** @throws NotPermittedError, RecordInvalidError */
  async create(actor: Actor, wanted: { readonly name: string }): Promise<Architecture> {
    this.mayCreate(actor);
    check(null, wanted.name);
    return this.storing(null, async () => {
      const created = await this.architectures.insert(wanted.name);
      await this.changes.record(actor, 'architecture', 'created', created);
      return created;
    });
  }

  /** @throws NotPermittedError, RowNotFoundError, RecordInvalidError */
  async update(actor: Actor, key: RowKey, change: { readonly name?: string }): Promise<Architecture> {
    mayAdminister(actor, 'edit_architectures');
    const { id } = await this.get(actor, key);
    return this.storing(id, async () => {
      const found = await this.architectures.findForUpdate(id);
      if (!found) throw new RowNotFoundError('architecture', key.name);
      const { name = found.name } = change;
      if (name === found.name) return found;
      check(id, name);
      const changed = await this.architectures.update(id, name);
      await this.changes.record(actor, 'architecture', 'updated', changed);
      return changed;
    });
  }

  /**
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError a provisioning image is for it
   */
  async remove(actor: Actor, key: RowKey): Promise<Architecture> {
    mayAdminister(actor, 'destroy_architectures');
    const found = await this.get(actor, key);
    try {
      await this.uow.run(async () => {
        if (!(await this.architectures.remove(found.id))) throw new RowNotFoundError('architecture', key.name);
        await this.changes.record(actor, 'architecture', 'deleted', found);
      });
    } catch (error) {
      if (!isMissingReference(error)) throw error;
      const names = await this.mentions.names('architecture_id', found.id);
      throw refusal('architecture', found.id, 'base', { reason: 'in_use', names });
    }
    return found;
  }

  private async storing(id: number | null, work: () => Promise<Architecture>): Promise<Architecture> {
    try {
      return await this.uow.run(work);
    } catch (error) {
      if (isUniqueViolation(error)) throw refusal('architecture', id, 'name', { reason: 'taken' });
      throw error;
    }
  }
}

function check(id: number | null, name: string): void {
  const faults = new FaultList();
  faults.required('name', name);
  faults.check('architecture', id);
}
