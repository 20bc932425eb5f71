import { Injectable } from '@nestjs/common';
import type { Actor } from '../../tenancy/index.js';
import { PartExistsError, PartNotFoundError, PartsQuotaExceededError } from '../metadefs.errors.js';
import { MetadefsPolicy } from '../metadefs.policy.js';
import {
  type Association,
  type AssociationAttributes,
  type Namespace,
  PARTS_MAX,
  type ResourceType,
} from '../metadefs.types.js';
import { NamespaceAccess } from '../namespaces/namespace-access.js';
import { AssociationsRepository } from './associations.repository.js';

const NOUN = 'resource type association';

/** Which namespaces are for which types of resources. A type comes up with its first association, and stays. */
@Injectable()
export class AssociationsService {
  constructor(
    private readonly access: NamespaceAccess,
    private readonly associations: AssociationsRepository,
    private readonly policy: MetadefsPolicy,
  ) {}

  /** Every resource type there is. @throws MetadefForbiddenError */
  async listTypes(actor: Actor): Promise<ResourceType[]> {
    this.policy.check(actor, 'list_metadef_resource_types');
    return this.associations.listTypes();
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError */
  async list(actor: Actor, namespace: string): Promise<Association[]> {
    const { id } = await this.access.get(actor, namespace, 'list_metadef_resource_types');
    return (await this.associations.listOf([id])).get(id)!;
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartNotFoundError */
  async get(actor: Actor, namespace: string, resourceType: string): Promise<Association> {
    const { id } = await this.access.get(actor, namespace, 'get_metadef_resource_type');
    const association = await this.associations.find(id, resourceType);
    if (!association) throw new PartNotFoundError(NOUN, namespace, resourceType);
    return association;
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartExistsError, PartsQuotaExceededError */
  create(actor: Actor, namespace: string, attributes: AssociationAttributes): Promise<Association> {
    const rules = ['add_metadef_resource_type_association'] as const;
    return this.access.change(actor, namespace, rules, 'resource_type_added', async (found) => {
      const [created] = await this.addAll(found, [attributes]);
      return created!;
    });
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartNotFoundError, NamespaceProtectedError */
  remove(actor: Actor, namespace: string, resourceType: string): Promise<void> {
    const rules = ['remove_metadef_resource_type_association'] as const;
    return this.access.change(actor, namespace, rules, 'resource_type_removed', async (found) => {
      if (!(await this.associations.remove(found.id, resourceType))) {
        throw new PartNotFoundError(NOUN, namespace, resourceType);
      }
      this.access.checkUnprotected(found);
    });
  }

  /** Adds associations to a locked namespace. @throws PartExistsError, PartsQuotaExceededError */
  async addAll(namespace: Namespace, all: readonly AssociationAttributes[]): Promise<Association[]> {
    if (all.length === 0) return [];
    if ((await this.associations.count(namespace.id)) + all.length > PARTS_MAX) {
      throw new PartsQuotaExceededError('resource type associations');
    }
    const added: Association[] = [];
    for (const attributes of all) {
      const typeId = await this.associations.typeId(attributes.name);
      if (typeId === null) throw new PartsQuotaExceededError('resource types');
      const association = await this.associations.insert(namespace.id, typeId, attributes);
      if (!association) throw new PartExistsError(NOUN, namespace.name, attributes.name);
      added.push(association);
    }
    return added;
  }
}
