import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Actor } from '../../tenancy/index.js';
import { type MetadefTag, PARTS_MAX, type TagAttributes, type TagQuery } from '../metadefs.types.js';
import { NamespaceAccess } from '../namespaces/namespace-access.js';
import { PartsRepository } from './parts.repository.js';
import { type PartRules, PartsService } from './parts.service.js';

/** The tags of namespaces. */
@Injectable()
export class MetadefTagsService extends PartsService<TagAttributes> {
  protected override readonly noun = 'tag';
  protected override readonly plural = 'tags';
  protected override readonly rules: PartRules = {
    list: 'get_metadef_tags',
    get: 'get_metadef_tag',
    add: 'add_metadef_tag',
    modify: 'modify_metadef_tag',
    remove: 'delete_metadef_tag',
    removeAll: ['delete_metadef_namespace', 'delete_metadef_tags'],
  };

  constructor(access: NamespaceAccess, database: Database) {
    super(access, new PartsRepository<TagAttributes>(database, { table: 'metadef_tags', columns: { name: 'name' } }));
  }

  /**
   * One page of a namespace's tags, in order.
   * @throws NamespaceNotFoundError, MetadefForbiddenError
   * @throws PartNotFoundError the marker is no tag of it
   */
  async page(actor: Actor, namespace: string, { sort, limit = PARTS_MAX, marker }: TagQuery): Promise<MetadefTag[]> {
    const { id } = await this.access.get(actor, namespace, this.rules.list);
    const after = marker === undefined ? null : this.found(await this.parts.find(id, marker), namespace, marker);
    return this.parts.page(id, sort[0]!, limit, after);
  }

  /**
   * Gives a namespace these tags instead of those it has, or beside them.
   * @throws NamespaceNotFoundError, MetadefForbiddenError
   * @throws PartExistsError one of them is named twice, or is there already
   * @throws PartsQuotaExceededError
   */
  setAll(actor: Actor, namespace: string, tags: readonly TagAttributes[], append: boolean): Promise<MetadefTag[]> {
    return this.access.change(actor, namespace, ['add_metadef_tags'], 'tags_set', async (found) => {
      // Reference: an empty list changes nothing; all are removed by the call that is there for it.
      if (!append && tags.length > 0) await this.parts.removeAll(found.id);
      return this.addAll(found, tags);
    });
  }
}
