import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import { Database } from '../../../platform/database/database.js';
import { type Association, type AssociationAttributes, PARTS_MAX, type ResourceType } from '../metadefs.types.js';

const COLUMNS = `t.name, a.prefix, a.properties_target AS "propertiesTarget", a.created_at AS "createdAt",
  a.updated_at AS "updatedAt"`;
const JOINED = 'metadef_associations a JOIN metadef_resource_types t ON t.id = a.resource_type_id';

/** Every statement on resource types and their associations with namespaces. */
@Injectable()
export class AssociationsRepository {
  constructor(private readonly database: Database) {}

  /** Every resource type, in the order in which they came up. */
  listTypes(): Promise<ResourceType[]> {
    return this.database.query(
      `SELECT name, created_at AS "createdAt", updated_at AS "updatedAt" FROM metadef_resource_types
       ORDER BY id LIMIT ${PARTS_MAX}`,
    );
  }

  /** The associations of each of some namespaces, by their ids. */
  async listOf(namespaceIds: readonly number[]): Promise<Map<number, Association[]>> {
    const rows = await this.database.query<Association & { namespaceId: number }>(
      `SELECT a.namespace_id AS "namespaceId", ${COLUMNS} FROM ${JOINED}
       WHERE a.namespace_id = ANY ($1::bigint[]) ORDER BY a.namespace_id, t.id`,
      [namespaceIds],
    );
    const found = new Map<number, Association[]>(namespaceIds.map((id) => [id, []]));
    for (const { namespaceId, ...association } of rows) found.get(namespaceId)!.push(association);
    return found;
  }

  find(namespaceId: number, resourceType: string): Promise<Association | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM ${JOINED} WHERE a.namespace_id = $1 AND t.name = $2`, [
      namespaceId,
      resourceType,
    ]);
  }

  async count(namespaceId: number): Promise<number> {
    const row = await this.database.one<{ count: number }>(
      'SELECT count(*) AS count FROM metadef_associations WHERE namespace_id = $1',
      [namespaceId],
    );
    return row!.count;
  }

  /** The id of a resource type, which is made if there is none of that name. Null: there are too many already. */
  async typeId(name: string): Promise<number | null> {
    const present = await this.findType(name);
    if (present !== null) return present;
    // Until the transaction ends nobody else makes one, so the number of them is exact.
    await this.database.run('LOCK TABLE metadef_resource_types IN SHARE ROW EXCLUSIVE MODE');
    const row = await this.database.one<{ id: number }>(
      `INSERT INTO metadef_resource_types (name)
       SELECT $1 WHERE (SELECT count(*) FROM metadef_resource_types) < ${PARTS_MAX}
       ON CONFLICT (name) DO NOTHING RETURNING id`,
      [name],
    );
    return row?.id ?? this.findType(name);
  }

  /** Null when it is there already; the transaction is lost then. */
  async insert(
    namespaceId: number,
    resourceTypeId: number,
    { name, prefix, propertiesTarget }: AssociationAttributes,
  ): Promise<Association | null> {
    try {
      const row = await this.database.one<Omit<Association, 'name'>>(
        `INSERT INTO metadef_associations (namespace_id, resource_type_id, prefix, properties_target)
         VALUES ($1, $2, $3, $4)
         RETURNING prefix, properties_target AS "propertiesTarget", created_at AS "createdAt", updated_at AS "updatedAt"`,
        [namespaceId, resourceTypeId, prefix, propertiesTarget],
      );
      return { name, ...row! };
    } catch (error) {
      if (isUniqueViolation(error, 'metadef_associations_pkey')) return null;
      throw error;
    }
  }

  /** Whether it was there. The type stays, for others. */
  async remove(namespaceId: number, resourceType: string): Promise<boolean> {
    const removed = await this.database.run(
      `DELETE FROM metadef_associations a USING metadef_resource_types t
       WHERE t.id = a.resource_type_id AND a.namespace_id = $1 AND t.name = $2`,
      [namespaceId, resourceType],
    );
    return removed > 0;
  }

  private async findType(name: string): Promise<number | null> {
    const row = await this.database.one<{ id: number }>('SELECT id FROM metadef_resource_types WHERE name = $1', [
      name,
    ]);
    return row?.id ?? null;
  }
}
