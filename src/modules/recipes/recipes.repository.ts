import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import { type Conditions, KeysetReader, timeConditions } from '../../platform/database/keyset-reader.js';
import type { Recipe } from './recipe.entity.js';
import { RecipeLinkTakenError, RecipeRestoreConflictError } from './recipes.errors.js';
import type { RecipeQuery, RecipeSortKey } from './recipes.types.js';

const COLUMNS = `id, project_id AS "projectId", name, recipe_type AS "recipeType",
  linux_distribution AS "linuxDistribution", arch, require_dkms AS "requireDkms",
  template_dictionary AS "templateDictionary", link_path AS "linkPath", link_etag AS "linkEtag",
  artifact_id AS "artifactId", created_at AS "createdAt", updated_at AS "updatedAt", deleted_at AS "deletedAt"`;

/** Every statement on `recipes`. */
@Injectable()
export class RecipesRepository {
  private readonly reader: KeysetReader<Recipe, RecipeSortKey>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader(database, {
      table: 'recipes',
      columns: COLUMNS,
      sort: {
        created: { sql: 'created_at', value: (recipe) => recipe.createdAt },
        id: { sql: 'id', value: (recipe) => recipe.id },
        name: { sql: 'name', value: (recipe) => recipe.name },
        deleted: { sql: 'deleted_at', value: (recipe) => recipe.deletedAt },
        arch: { sql: 'arch', value: (recipe) => recipe.arch },
        recipe_type: { sql: 'recipe_type', value: (recipe) => recipe.recipeType },
        linux_distribution: { sql: 'linux_distribution', value: (recipe) => recipe.linuxDistribution },
      },
    });
  }

  /** @throws RecipeLinkTakenError */
  async insert(recipe: Omit<Recipe, 'createdAt' | 'updatedAt' | 'deletedAt'>): Promise<Recipe> {
    return this.refusingTakenLinks(recipe.linkPath, async () => {
      const inserted = await this.database.one<Recipe>(
        `INSERT INTO recipes (id, project_id, name, recipe_type, linux_distribution, arch, require_dkms,
           template_dictionary, link_path, link_etag, artifact_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING ${COLUMNS}`,
        [
          recipe.id,
          recipe.projectId,
          recipe.name,
          recipe.recipeType,
          recipe.linuxDistribution,
          recipe.arch,
          recipe.requireDkms,
          JSON.stringify(recipe.templateDictionary),
          recipe.linkPath,
          recipe.linkEtag,
          recipe.artifactId,
        ],
        'recipes-insert',
      );
      return inserted!;
    });
  }

  find(id: string): Promise<Recipe | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM recipes WHERE id = $1 AND deleted_at IS NULL`,
      [id],
      'recipes-find',
    );
  }

  lock(id: string): Promise<Recipe | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM recipes WHERE id = $1 AND deleted_at IS NULL FOR UPDATE`,
      [id],
      'recipes-lock',
    );
  }

  findDeleted(id: string): Promise<Recipe | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM recipes WHERE id = $1 AND deleted_at IS NOT NULL`, [id]);
  }

  lockDeleted(id: string): Promise<Recipe | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM recipes WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE`, [
      id,
    ]);
  }

  findEvenDeleted(id: string): Promise<Recipe | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM recipes WHERE id = $1`, [id], 'recipes-find-even-deleted');
  }

  async linkIsTaken(projectId: string, path: string): Promise<boolean> {
    const rows = await this.database.query(
      'SELECT 1 FROM recipes WHERE project_id = $1 AND link_path = $2 AND deleted_at IS NULL',
      [projectId, path],
      'recipes-find-link',
    );
    return rows.length > 0;
  }

  /** Live and deleted ones. */
  findByArtifact(artifactId: string): Promise<Pick<Recipe, 'id' | 'deletedAt'>[]> {
    return this.database.query(
      'SELECT id, deleted_at AS "deletedAt" FROM recipes WHERE artifact_id = $1',
      [artifactId],
      'recipes-find-by-artifact',
    );
  }

  /** Writes what can change. @throws RecipeLinkTakenError */
  async save(recipe: Recipe): Promise<Recipe> {
    return this.refusingTakenLinks(recipe.linkPath, async () => {
      const saved = await this.database.one<Recipe>(
        `UPDATE recipes SET arch = $2, require_dkms = $3, template_dictionary = $4, link_path = $5, link_etag = $6,
           artifact_id = $7, updated_at = now()
         WHERE id = $1 RETURNING ${COLUMNS}`,
        [
          recipe.id,
          recipe.arch,
          recipe.requireDkms,
          JSON.stringify(recipe.templateDictionary),
          recipe.linkPath,
          recipe.linkEtag,
          recipe.artifactId,
        ],
        'recipes-save',
      );
      return saved!;
    });
  }

  async markDeleted(id: string): Promise<void> {
    await this.database.run('UPDATE recipes SET deleted_at = now() WHERE id = $1', [id], 'recipes-delete');
  }

  /** Before the recipe goes without its archive. */
  async forgetArchive(id: string): Promise<void> {
    await this.database.run('UPDATE recipes SET artifact_id = NULL WHERE id = $1', [id]);
  }

  async changeLink(id: string, path: string, etag: string): Promise<void> {
    await this.database.run(
      'UPDATE recipes SET link_path = $2, link_etag = $3 WHERE id = $1',
      [id, path, etag],
      'recipes-change-link',
    );
  }

  /** Takes a locked recipe out of the deleted ones. @throws RecipeRestoreConflictError */
  async restore({ id, linkPath, linkEtag, artifactId }: Recipe): Promise<Recipe> {
    try {
      const restored = await this.database.one<Recipe>(
        `UPDATE recipes SET deleted_at = NULL, link_path = $2, link_etag = $3, artifact_id = $4
         WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, linkPath, linkEtag, artifactId],
      );
      return restored!;
    } catch (error) {
      if (isUniqueViolation(error, 'recipes_link_unique')) throw new RecipeRestoreConflictError(id, linkPath ?? '');
      throw error;
    }
  }

  /** Deleted ones whose time is up, oldest first. */
  async findExpired(retentionMs: number, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM recipes WHERE deleted_at IS NOT NULL AND deleted_at <= now() - $1 * interval '1 millisecond'
       ORDER BY deleted_at LIMIT $2`,
      [retentionMs, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Of the deleted recipes of a project that keep an archive nobody pays for, the one that was deleted first. */
  findOldestUnpaid(projectId: string): Promise<{ id: string; deletedAt: Date } | null> {
    return this.database.one(
      `SELECT r.id, r.deleted_at AS "deletedAt" FROM recipes r
       WHERE r.project_id = $1 AND r.deleted_at IS NOT NULL AND EXISTS (
         SELECT 1 FROM artifacts a JOIN stored_files f ON f.id = a.stored_file_id
         WHERE a.id = r.artifact_id AND f.project_id = $1 AND f.charge_count = 0)
       ORDER BY r.deleted_at, r.id LIMIT 1`,
      [projectId],
    );
  }

  /** Removes a deleted recipe for good, and remembers its id; null if it is not deleted. */
  async purge(id: string): Promise<Recipe | null> {
    const purged = await this.database.one<Recipe>(
      `DELETE FROM recipes WHERE id = $1 AND deleted_at IS NOT NULL RETURNING ${COLUMNS}`,
      [id],
    );
    if (purged) {
      await this.database.run(`INSERT INTO tombstones (id, noun, project_id) VALUES ($1, 'recipe', $2)`, [
        id,
        purged.projectId,
      ]);
    }
    return purged;
  }

  stream(query: RecipeQuery, after: Recipe | null, wanted?: number): AsyncGenerator<Recipe> {
    return this.reader.stream(conditions(query), query.sort, after, wanted);
  }

  private async refusingTakenLinks<T>(path: string | null, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isUniqueViolation(error, 'recipes_link_unique')) throw new RecipeLinkTakenError(path ?? '');
      throw error;
    }
  }
}

function conditions({ projectId, deleted = false, filter }: RecipeQuery): Conditions {
  return (bindings) => {
    const anyOf = (column: string, values: readonly string[] | undefined) =>
      values ? [`${column} = ANY (${bindings.add(values)}::text[])`] : [];
    return [
      deleted ? 'deleted_at IS NOT NULL' : 'deleted_at IS NULL',
      ...(projectId === null ? [] : [`project_id = ${bindings.add(projectId)}`]),
      ...anyOf('name', filter.names),
      ...anyOf('arch', filter.archs),
      ...anyOf('recipe_type', filter.recipeTypes),
      ...anyOf('linux_distribution', filter.linuxDistributions),
      ...(filter.requireDkms === undefined ? [] : [`require_dkms = ${bindings.add(filter.requireDkms)}`]),
      ...timeConditions('created_at', filter.created ?? [], bindings),
      ...timeConditions('deleted_at', filter.deletedAt ?? [], bindings),
    ];
  };
}
