import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Actor } from '../../tenancy/index.js';
import { PropertyPrefixError } from '../metadefs.errors.js';
import type { MetadefProperty, PropertyAttributes } from '../metadefs.types.js';
import { NamespaceAccess } from '../namespaces/namespace-access.js';
import { AssociationsService } from './associations.service.js';
import { PartsRepository } from './parts.repository.js';
import { type PartRules, PartsService } from './parts.service.js';

/** The properties of namespaces that belong to no object. */
@Injectable()
export class MetadefPropertiesService extends PartsService<PropertyAttributes> {
  protected override readonly noun = 'property';
  protected override readonly plural = 'properties';
  protected override readonly rules: PartRules = {
    list: 'get_metadef_properties',
    get: 'get_metadef_property',
    add: 'add_metadef_property',
    modify: 'modify_metadef_property',
    remove: 'remove_metadef_property',
    removeAll: ['delete_metadef_namespace'],
  };

  constructor(
    access: NamespaceAccess,
    database: Database,
    private readonly associations: AssociationsService,
  ) {
    super(
      access,
      new PartsRepository<PropertyAttributes>(database, {
        table: 'metadef_properties',
        columns: { name: 'name', definition: 'definition' },
        write: (property) => ({ ...property, definition: JSON.stringify(property.definition) }),
      }),
    );
  }

  /**
   * A property by the name that it has on resources of a type: behind the prefix of their association.
   *
   * @throws NamespaceNotFoundError, MetadefForbiddenError
   * @throws PartNotFoundError no such property, or the namespace is not for that type
   * @throws PropertyPrefixError
   */
  async getOn(actor: Actor, namespace: string, name: string, resourceType: string): Promise<MetadefProperty> {
    await this.access.get(actor, namespace, this.rules.get);
    const { prefix } = await this.associations.get(actor, namespace, resourceType);
    if (!prefix || !name.startsWith(prefix)) throw new PropertyPrefixError(name, resourceType, prefix ?? '');
    return this.get(actor, namespace, name.slice(prefix.length));
  }
}
