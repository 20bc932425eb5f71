import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister } from '../listing/row-lister.js';
import type { Organization, OrganizationField } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';

const COLUMNS = `p.number AS id, p.name, p.description, p.id AS "projectId", p.created_at AS "createdAt",
  p.created_at AS "updatedAt"`;

/** By code points, as every other name of this module: pages are the same on every database. */
const NAME = 'p.name COLLATE "C"';

/** Projects by their numbers; they are written by `tenancy`. */
@Injectable()
export class OrganizationsRepository {
  private readonly lister: RowLister<Organization, OrganizationField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<Organization, OrganizationField>(database, {
      from: 'projects p',
      columns: COLUMNS,
      id: 'p.number',
      fields: {
        id: { sql: 'p.number', type: 'integer' },
        name: { sql: NAME, type: 'text' },
        title: { sql: NAME, type: 'text' },
      },
      usualOrder: 'name',
    });
  }

  /** @param projectIds null: all of them */
  page(projectIds: readonly string[] | null, query: RowQuery<OrganizationField>): Promise<RowPage<Organization>> {
    return this.lister.page(
      (bindings) => ['p.enabled', ...(projectIds ? [`p.id = ANY (${bindings.add(projectIds)}::text[])`] : [])],
      query,
    );
  }

  /**
   * By its exact name, else by its number; an enabled one. Names are those of one domain.
   * @param projectIds among these; null: among all of them
   */
  find(projectIds: readonly string[] | null, { id, name }: RowKey): Promise<Organization | null> {
    return this.database.one<Organization>(
      `SELECT ${COLUMNS} FROM projects p
       WHERE p.enabled AND (p.name = $1 OR p.number = $2) AND ($3::text[] IS NULL OR p.id = ANY ($3))
       ORDER BY p.name = $1 DESC, p.domain_id = 'default' DESC, p.number LIMIT 1`,
      [name, id, projectIds],
    );
  }
}
