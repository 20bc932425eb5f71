import { Injectable } from '@nestjs/common';
import type { Actor } from '../tenancy/index.js';
import { MetadefForbiddenError, NamespaceNotFoundError } from './metadefs.errors.js';
import type { Namespace } from './metadefs.types.js';

/** The reference's names of what may be done with metadata definitions. */
export type MetadefRule =
  | 'get_metadef_namespace'
  | 'get_metadef_namespaces'
  | 'add_metadef_namespace'
  | 'modify_metadef_namespace'
  | 'delete_metadef_namespace'
  | 'get_metadef_object'
  | 'get_metadef_objects'
  | 'add_metadef_object'
  | 'modify_metadef_object'
  | 'delete_metadef_object'
  | 'get_metadef_property'
  | 'get_metadef_properties'
  | 'add_metadef_property'
  | 'modify_metadef_property'
  | 'remove_metadef_property'
  | 'get_metadef_tag'
  | 'get_metadef_tags'
  | 'add_metadef_tag'
  | 'add_metadef_tags'
  | 'modify_metadef_tag'
  | 'delete_metadef_tag'
  | 'delete_metadef_tags'
  | 'get_metadef_resource_type'
  | 'list_metadef_resource_types'
  | 'add_metadef_resource_type_association'
  | 'remove_metadef_resource_type_association';

/** What a rule looks at of a namespace. */
export type NamespaceSighting = Pick<Namespace, 'name' | 'projectId' | 'visibility'>;

/**
 * Who may do what with metadata definitions. A namespace that an actor cannot see does not exist; in one that it sees,
 * what it may not do is forbidden.
 *
 * @see Image API v2, default policy of metadata definitions
 */
@Injectable()
export class MetadefsPolicy {
  /** @throws MetadefForbiddenError */
  check(actor: Actor, rule: MetadefRule): void {
    if (!this.allows(actor, rule, null)) throw new MetadefForbiddenError(rule);
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError */
  checkIn(actor: Actor, rule: MetadefRule, namespace: NamespaceSighting): void {
    if (this.allows(actor, rule, namespace)) return;
    if (!this.isVisible(actor, namespace)) throw new NamespaceNotFoundError(namespace.name);
    throw new MetadefForbiddenError(rule);
  }

  isVisible(actor: Actor, namespace: NamespaceSighting): boolean {
    return this.allows(actor, 'get_metadef_namespace', namespace);
  }

  private allows(actor: Actor, rule: MetadefRule, namespace: NamespaceSighting | null): boolean {
    if (actor.isAdmin) return true;
    if (!rule.startsWith('get_') && !rule.startsWith('list_')) return false;
    if (!actor.has('reader')) return false;
    return namespace === null || namespace.visibility === 'public' || actor.projectId === namespace.projectId;
  }
}
