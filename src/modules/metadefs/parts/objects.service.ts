import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { ObjectAttributes } from '../metadefs.types.js';
import { NamespaceAccess } from '../namespaces/namespace-access.js';
import { PartsRepository } from './parts.repository.js';
import { type PartRules, PartsService } from './parts.service.js';

/** The objects of namespaces: groups of properties. */
@Injectable()
export class MetadefObjectsService extends PartsService<ObjectAttributes> {
  protected override readonly noun = 'object';
  protected override readonly plural = 'objects';
  protected override readonly rules: PartRules = {
    list: 'get_metadef_objects',
    get: 'get_metadef_object',
    add: 'add_metadef_object',
    modify: 'modify_metadef_object',
    remove: 'delete_metadef_object',
    removeAll: ['delete_metadef_namespace'],
  };

  constructor(access: NamespaceAccess, database: Database) {
    super(
      access,
      new PartsRepository<ObjectAttributes>(database, {
        table: 'metadef_objects',
        columns: { name: 'name', description: 'description', required: 'required', properties: 'properties' },
        write: (object) => ({ ...object, properties: object.properties && JSON.stringify(object.properties) }),
      }),
    );
  }
}
