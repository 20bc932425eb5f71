import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import type { Actor } from '../../tenancy/index.js';
import { NamespaceNotFoundError, NamespaceProtectedError } from '../metadefs.errors.js';
import { MetadefsPolicy, type MetadefRule } from '../metadefs.policy.js';
import type { Namespace } from '../metadefs.types.js';
import { NamespacesRepository } from './namespaces.repository.js';

/** The way to everything that namespaces have: who may not see a namespace gets no further, and changes go one by one. */
@Injectable()
export class NamespaceAccess {
  constructor(
    private readonly namespaces: NamespacesRepository,
    private readonly policy: MetadefsPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /** A namespace to read. @throws NamespaceNotFoundError, MetadefForbiddenError */
  async get(actor: Actor, name: string, ...rules: MetadefRule[]): Promise<Namespace> {
    return this.checked(actor, name, await this.namespaces.find(name), rules);
  }

  /**
   * Runs `work` in a transaction that holds the namespace, so that nobody else changes it or what it has meanwhile; the
   * event says what was done.
   *
   * @throws NamespaceNotFoundError, MetadefForbiddenError
   */
  change<T>(
    actor: Actor,
    name: string,
    rules: readonly MetadefRule[],
    what: string,
    work: (namespace: Namespace) => Promise<T>,
  ): Promise<T> {
    return this.uow.run(async () => {
      const namespace = this.checked(actor, name, await this.namespaces.findForUpdate(name), rules);
      const result = await work(namespace);
      await this.record(actor, namespace, what);
      return result;
    });
  }

  /** Neither a protected namespace nor what it has is deleted. @throws NamespaceProtectedError */
  checkUnprotected(namespace: Namespace): void {
    if (namespace.protected) throw new NamespaceProtectedError(namespace.name);
  }

  /** Tells of a change, in its transaction. */
  record(actor: Actor, { id, name, projectId }: Namespace, what: string): Promise<void> {
    return this.outbox.record({
      kind: `metadef_namespace.${what}`,
      noun: 'metadef_namespace',
      nounId: String(id),
      projectId,
      actorId: actor.id,
      data: { name },
    });
  }

  private checked(actor: Actor, name: string, namespace: Namespace | null, rules: readonly MetadefRule[]): Namespace {
    if (!namespace || !this.policy.isVisible(actor, namespace)) throw new NamespaceNotFoundError(name);
    rules.forEach((rule) => this.policy.checkIn(actor, rule, namespace));
    return namespace;
  }
}
