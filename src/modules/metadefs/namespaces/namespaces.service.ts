import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { Actor } from '../../tenancy/index.js';
import { NamespaceExistsError, NamespaceMarkerNotFoundError } from '../metadefs.errors.js';
import { MetadefsPolicy } from '../metadefs.policy.js';
import type {
  Association,
  Namespace,
  NamespaceAttributes,
  NamespaceContents,
  NamespaceDocument,
  NamespaceQuery,
} from '../metadefs.types.js';
import { AssociationsRepository } from '../parts/associations.repository.js';
import { AssociationsService } from '../parts/associations.service.js';
import { MetadefObjectsService } from '../parts/objects.service.js';
import { MetadefPropertiesService } from '../parts/properties.service.js';
import { MetadefTagsService } from '../parts/tags.service.js';
import { NamespaceAccess } from './namespace-access.js';
import { NamespacesRepository } from './namespaces.repository.js';

/** A namespace as lists have it. */
export interface ListedNamespace {
  readonly namespace: Namespace;
  readonly associations: readonly Association[];
}

/** A namespace and everything in it. */
export interface WholeNamespace extends NamespaceContents {
  readonly namespace: Namespace;
}

/** Namespaces of metadata definitions. Readers see public ones and their project's; administrators write. */
@Injectable()
export class NamespacesService {
  constructor(
    private readonly access: NamespaceAccess,
    private readonly namespaces: NamespacesRepository,
    private readonly policy: MetadefsPolicy,
    private readonly objects: MetadefObjectsService,
    private readonly properties: MetadefPropertiesService,
    private readonly tags: MetadefTagsService,
    private readonly associations: AssociationsService,
    private readonly associated: AssociationsRepository,
    private readonly uow: UnitOfWork,
  ) {}

  /**
   * Makes a namespace with everything in it, or nothing.
   * @throws MetadefForbiddenError
   * @throws NamespaceExistsError, PartExistsError, PartsQuotaExceededError
   */
  create(actor: Actor, document: NamespaceDocument): Promise<WholeNamespace> {
    this.policy.check(actor, 'add_metadef_namespace');
    if (document.associations.length > 0) this.policy.check(actor, 'add_metadef_resource_type_association');
    if (document.objects.length > 0) this.policy.check(actor, 'add_metadef_object');
    if (document.properties.length > 0) this.policy.check(actor, 'add_metadef_property');
    if (document.tags.length > 0) this.policy.check(actor, 'add_metadef_tag');
    return this.uow.run(async () => {
      const namespace = await this.namespaces.insert(attributesOf(document, actor));
      await this.access.record(actor, namespace, 'created');
      return {
        namespace,
        associations: await this.associations.addAll(namespace, document.associations),
        objects: await this.objects.addAll(namespace, document.objects),
        properties: await this.properties.addAll(namespace, document.properties),
        tags: await this.tags.addAll(namespace, document.tags),
      };
    });
  }

  /** As `create`; false, and nothing is done, where one of that name is there. */
  async createIfAbsent(actor: Actor, document: NamespaceDocument): Promise<boolean> {
    if (await this.namespaces.find(document.name)) return false;
    try {
      await this.create(actor, document);
      return true;
    } catch (error) {
      // Another process was faster.
      if (error instanceof NamespaceExistsError) return false;
      throw error;
    }
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError */
  async get(actor: Actor, name: string): Promise<WholeNamespace> {
    const namespace = await this.access.get(actor, name);
    return {
      namespace,
      objects: await this.objects.list(actor, name),
      properties: await this.properties.list(actor, name),
      associations: await this.associations.list(actor, name),
      tags: await this.tags.page(actor, name, { sort: [{ key: 'createdAt', direction: 'desc' }] }),
    };
  }

  /**
   * One page of the namespaces that the actor sees, in order.
   * @throws MetadefForbiddenError
   * @throws NamespaceMarkerNotFoundError the marker names none that the actor sees
   */
  async list(actor: Actor, query: NamespaceQuery): Promise<ListedNamespace[]> {
    this.policy.check(actor, 'get_metadef_namespaces');
    this.policy.check(actor, 'list_metadef_resource_types');
    const page = await this.namespaces.page({
      privateOf: this.policy.isAdmin(actor) ? 'everybody' : { projectId: actor.projectId },
      visibility: query.visibility,
      resourceTypes: query.resourceTypes,
      sort: query.sort[0]!,
      limit: query.limit,
      after: query.marker === undefined ? null : await this.findMarker(actor, query.marker),
    });
    // As the reference does: an operator's rule may show less than the list holds.
    const visible = page.filter((namespace) => this.policy.isVisible(actor, namespace));
    const associations = await this.associated.listOf(visible.map(({ id }) => id));
    return visible.map((namespace) => ({ namespace, associations: associations.get(namespace.id)! }));
  }

  /**
   * Writes the namespace itself anew; what it defines stays.
   * @throws NamespaceNotFoundError, MetadefForbiddenError, NamespaceExistsError
   */
  replace(actor: Actor, name: string, document: NamespaceDocument): Promise<Namespace> {
    return this.access.change(actor, name, ['modify_metadef_namespace'], 'changed', ({ id }) =>
      this.namespaces.replace(id, attributesOf(document, actor)),
    );
  }

  /**
   * Deletes a namespace and everything in it, for good.
   * @throws NamespaceNotFoundError, MetadefForbiddenError, NamespaceProtectedError
   */
  delete(actor: Actor, name: string): Promise<void> {
    return this.access.change(actor, name, ['delete_metadef_namespace'], 'deleted', async (namespace) => {
      this.access.checkUnprotected(namespace);
      await this.namespaces.remove(namespace.id);
    });
  }

  private async findMarker(actor: Actor, marker: string): Promise<Namespace> {
    const namespace = await this.namespaces.find(marker);
    if (!namespace || !this.policy.isVisible(actor, namespace)) throw new NamespaceMarkerNotFoundError(marker);
    return namespace;
  }
}

/** Who does not say an owner is one. */
function attributesOf(document: NamespaceDocument, actor: Actor): NamespaceAttributes {
  const { name, displayName, description, visibility, projectId } = document;
  return {
    name,
    displayName,
    description,
    visibility,
    protected: document.protected,
    projectId: projectId ?? actor.projectId,
  };
}
