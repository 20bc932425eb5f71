import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { type Actor, NotPermittedError } from '../tenancy/index.js';
import { RemoteNodeNotFoundError } from './nodes.errors.js';
import { NodesRepository } from './nodes.repository.js';
import type { RemoteNode } from './remote-node.entity.js';

/**
 * Nodes that projects have named. Readers see their project's, members change them. No job runs on one yet, so none is
 * contacted: what would be found out would help nobody.
 */
@Injectable()
export class NodesService {
  constructor(
    private readonly nodes: NodesRepository,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /** Names a node of the actor's project; nothing happens if it is named already. @throws NotPermittedError */
  add(actor: Actor, xname: string): Promise<void> {
    const projectId = ownProject(actor, 'member', 'nodes:add');
    return this.uow.run(async () => {
      const added = await this.nodes.insert(projectId, xname);
      if (added) await this.record('node.added', actor, added);
    });
  }

  /** @throws RemoteNodeNotFoundError, NotPermittedError */
  async get(actor: Actor, xname: string): Promise<RemoteNode> {
    const projectId = ownProject(actor, 'reader', 'nodes:get');
    // No text of the database holds NUL.
    const node = xname.includes('\0') ? null : await this.nodes.find(projectId, xname);
    if (!node) throw new RemoteNodeNotFoundError(xname);
    return node;
  }

  /** Every node of the actor's project, oldest first, read as they are consumed. @throws NotPermittedError */
  async *stream(actor: Actor): AsyncGenerator<RemoteNode> {
    yield* this.nodes.stream(ownProject(actor, 'reader', 'nodes:list'));
  }

  /** @throws RemoteNodeNotFoundError, NotPermittedError */
  delete(actor: Actor, xname: string): Promise<void> {
    return this.uow.run(async () => {
      const node = await this.get(actor, xname);
      ownProject(actor, 'member', 'nodes:delete');
      if (!(await this.nodes.delete(node.projectId, xname))) throw new RemoteNodeNotFoundError(xname);
      await this.record('node.removed', actor, node);
    });
  }

  /** Forgets every node of the actor's project, each on its own. @throws NotPermittedError */
  async deleteAll(actor: Actor): Promise<void> {
    const projectId = ownProject(actor, 'member', 'nodes:delete');
    for await (const { xname } of this.nodes.stream(projectId)) {
      await this.delete(actor, xname).catch(ignoreGone);
    }
  }

  private record(kind: string, actor: Actor, { projectId, xname }: RemoteNode): Promise<void> {
    return this.outbox.record({ kind, noun: 'node', nounId: xname, projectId, actorId: actor.id });
  }
}

function ownProject(actor: Actor, role: 'reader' | 'member', action: string): string {
  if (!actor.has(role)) throw new NotPermittedError(action);
  return actor.projectId!;
}

/** Somebody else removed it first. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof RemoteNodeNotFoundError)) throw error;
}
