import { Injectable } from '@nestjs/common';
import { Outbox } from '../../platform/events/outbox.js';
import type { Actor } from '../tenancy/index.js';

/** Tells of changes, in their transactions. */
@Injectable()
export class ChangeLog {
  constructor(private readonly outbox: Outbox) {}

  /** @param projectId null: of the deployment */
  record(
    actor: Actor,
    noun: string,
    verb: 'created' | 'updated' | 'deleted',
    row: { readonly id: number; readonly name: string },
    projectId: string | null = null,
  ): Promise<void> {
    return this.outbox.record({
      kind: `${noun}.${verb}`,
      noun,
      nounId: String(row.id),
      projectId,
      actorId: actor.id,
      data: { name: row.name },
    });
  }
}
