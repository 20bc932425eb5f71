import { Injectable } from '@nestjs/common';
import type { SortTerm } from '../../../common/paging.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import { Database } from '../../../platform/database/database.js';
import { Bindings, keysetAfter, keysetOrder } from '../../../platform/database/keyset.js';
import { NamespaceExistsError } from '../metadefs.errors.js';
import {
  type Namespace,
  NAMESPACE_VISIBILITIES,
  type NamespaceAttributes,
  type NamespaceSortKey,
  type NamespaceVisibility,
} from '../metadefs.types.js';

const COLUMNS = `id, name, display_name AS "displayName", description, visibility, protected,
  project_id AS "projectId", created_at AS "createdAt", updated_at AS "updatedAt"`;

interface SortColumn {
  readonly sql: string;
  readonly value: (namespace: Namespace) => unknown;
}

const CREATED: SortColumn = { sql: 'created_at', value: (namespace) => namespace.createdAt };
const ID: SortColumn = { sql: 'id', value: (namespace) => namespace.id };

const SORT_COLUMNS: Readonly<Record<NamespaceSortKey, SortColumn>> = {
  createdAt: CREATED,
  updatedAt: { sql: 'updated_at', value: (namespace) => namespace.updatedAt },
  name: { sql: 'name', value: (namespace) => namespace.name },
  displayName: { sql: `coalesce(display_name, '')`, value: (namespace) => namespace.displayName ?? '' },
  owner: { sql: `coalesce(project_id, '')`, value: (namespace) => namespace.projectId ?? '' },
  visibility: { sql: 'visibility', value: (namespace) => namespace.visibility },
  protected: { sql: 'protected', value: (namespace) => namespace.protected },
};

/** Which namespaces a page draws from. */
export interface NamespaceSelection {
  /** Whose private ones; without a project nobody's. */
  readonly privateOf: { readonly projectId: string | null } | 'everybody';
  readonly visibility?: NamespaceVisibility;
  readonly resourceTypes?: readonly string[];
  readonly sort: SortTerm<NamespaceSortKey>;
  readonly limit: number;
  readonly after: Namespace | null;
}

/** Every statement on `metadef_namespaces`. */
@Injectable()
export class NamespacesRepository {
  constructor(private readonly database: Database) {}

  /** Whether somebody may see it is the policy's to say. */
  find(name: string): Promise<Namespace | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM metadef_namespaces WHERE name = $1`,
      [name],
      'metadef-namespaces-find',
    );
  }

  /** As `find`, and nobody else changes it or what it has until the transaction ends. */
  findForUpdate(name: string): Promise<Namespace | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM metadef_namespaces WHERE name = $1 FOR UPDATE`, [name]);
  }

  /** @throws NamespaceExistsError */
  async insert(namespace: NamespaceAttributes): Promise<Namespace> {
    return this.translating(namespace.name, async () => {
      const row = await this.database.one<Namespace>(
        `INSERT INTO metadef_namespaces (name, display_name, description, visibility, protected, project_id)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
        values(namespace),
      );
      return row!;
    });
  }

  /** Writes a locked namespace. @throws NamespaceExistsError its new name is another one's */
  async replace(id: number, namespace: NamespaceAttributes): Promise<Namespace> {
    return this.translating(namespace.name, async () => {
      const row = await this.database.one<Namespace>(
        `UPDATE metadef_namespaces SET name = $1, display_name = $2, description = $3, visibility = $4, protected = $5,
           project_id = $6, updated_at = now()
         WHERE id = $7 RETURNING ${COLUMNS}`,
        [...values(namespace), id],
      );
      return row!;
    });
  }

  /** With everything it has. */
  async remove(id: number): Promise<void> {
    await this.database.run('DELETE FROM metadef_namespaces WHERE id = $1', [id]);
  }

  /** The first namespaces behind `after`: public and private ones, each walked in the order of the page, merged. */
  page({ privateOf, visibility, resourceTypes, sort, limit, after }: NamespaceSelection): Promise<Namespace[]> {
    const bindings = new Bindings();
    const order = totalOrder(sort);
    const where: string[] = [];
    if (resourceTypes) {
      where.push(`EXISTS (
        SELECT 1 FROM metadef_associations a JOIN metadef_resource_types t ON t.id = a.resource_type_id
        WHERE a.namespace_id = metadef_namespaces.id AND t.name = ANY (${bindings.add(resourceTypes)}::text[]))`);
    }
    if (after)
      where.push(
        keysetAfter(
          order,
          order.map(({ value }) => bindings.add(value(after))),
        ),
      );
    // Only where it is used: a value that no branch needs would be one of no type.
    const owner = () => (privateOf === 'everybody' ? [] : [`project_id = ${bindings.add(privateOf.projectId)}`]);
    const ordered = `ORDER BY ${keysetOrder(order)} LIMIT ${bindings.add(limit)}`;
    const branches = NAMESPACE_VISIBILITIES.filter((each) => visibility === undefined || each === visibility).map(
      (each) =>
        `(SELECT * FROM metadef_namespaces WHERE ${[
          `visibility = '${each}'`,
          ...(each === 'private' ? owner() : []),
          ...where,
        ].join(' AND ')} ${ordered})`,
    );
    return this.database.query(
      `SELECT ${COLUMNS} FROM (${branches.join(' UNION ALL ')}) metadef_namespaces ${ordered}`,
      bindings.values,
    );
  }

  private async translating<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isUniqueViolation(error, 'metadef_namespaces_name')) throw new NamespaceExistsError(name);
      throw error;
    }
  }
}

function values(namespace: NamespaceAttributes): unknown[] {
  const { name, displayName, description, visibility, projectId } = namespace;
  return [name, displayName, description, visibility, namespace.protected, projectId];
}

function totalOrder({ key, direction }: SortTerm<NamespaceSortKey>) {
  const columns = key === 'createdAt' ? [CREATED, ID] : [SORT_COLUMNS[key], CREATED, ID];
  return columns.map((column) => ({ ...column, direction }));
}
