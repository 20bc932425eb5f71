import { Injectable } from '@nestjs/common';
import type { ImageRule } from '../images/index.js';
import { type Actor, Policy } from '../tenancy/index.js';
import { MetadefForbiddenError, NamespaceNotFoundError } from './metadefs.errors.js';
import type { Namespace } from './metadefs.types.js';

/** A rule of the image API that speaks of metadata definitions. */
export type MetadefRule = Extract<ImageRule, `${string}_metadef_${string}`>;

/** What a rule looks at of a namespace. */
export type NamespaceSighting = Pick<Namespace, 'name' | 'projectId' | 'visibility'>;

/**
 * Who may do what with metadata definitions. A namespace that an actor cannot see does not exist; in one that it sees,
 * what it may not do is forbidden.
 *
 * The table of rules decides, within one bound: a private namespace is its project's, whatever a rule says.
 *
 * @see Image API v2, default policy of metadata definitions
 */
@Injectable()
export class MetadefsPolicy {
  constructor(private readonly policy: Policy) {}

  /** Whether the actor administers the deployment. */
  isAdmin(actor: Actor): boolean {
    return this.policy.allows('context_is_admin' satisfies ImageRule, actor);
  }

  /** What a rule says of no namespace in particular. @throws MetadefForbiddenError */
  check(actor: Actor, rule: MetadefRule): void {
    const target = { project_id: actor.projectId, owner: actor.projectId };
    if (!this.policy.allows(rule, actor, target)) throw new MetadefForbiddenError(rule);
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError */
  checkIn(actor: Actor, rule: MetadefRule, namespace: NamespaceSighting): void {
    if (!this.isVisible(actor, namespace)) throw new NamespaceNotFoundError(namespace.name);
    if (!this.allows(actor, rule, namespace)) throw new MetadefForbiddenError(rule);
  }

  isVisible(actor: Actor, namespace: NamespaceSighting): boolean {
    return this.isShown(actor, namespace) && this.allows(actor, 'get_metadef_namespace', namespace);
  }

  private isShown(actor: Actor, { projectId, visibility }: NamespaceSighting): boolean {
    if (visibility === 'public' || this.isAdmin(actor)) return true;
    return projectId !== null && actor.projectId === projectId;
  }

  private allows(actor: Actor, rule: MetadefRule, { name, projectId, visibility }: NamespaceSighting): boolean {
    return this.policy.allows(rule, actor, { namespace: name, owner: projectId, project_id: projectId, visibility });
  }
}
