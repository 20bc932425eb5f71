import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import type { RunningKiln } from '../kiln.js';

/** File stores in the data folder of a Kiln, and what lies in them. Use their ids as the names of their folders. */
export class FileStores {
  constructor(
    private readonly kiln: RunningKiln,
    private readonly folder: string,
  ) {}

  /** Copies the data of an image to a further store, as an import of `copy-image` leaves it. */
  async copy(imageId: string, storeId: string): Promise<void> {
    await this.query(async (client) => {
      const { rows } = await client.query(
        `SELECT f.* FROM stored_files f JOIN images i ON i.primary_file_id = f.id WHERE i.id = $1`,
        [imageId],
      );
      const [file] = rows;
      const fileId = randomUUID();
      const key = `${fileId.slice(0, 2)}/${fileId}`;
      await mkdir(dirname(this.path(storeId, key)), { recursive: true });
      await copyFile(this.path(file.store_id, file.object_key), this.path(storeId, key));
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO stored_files (id, project_id, store_id, object_key, state, size_bytes, md5, sha512, reference_count,
           charge_count, charged_bytes)
         VALUES ($1, $2, $3, $4, 'stored', $5, $6, $7, 1, 1, $5)`,
        [fileId, file.project_id, storeId, key, file.size_bytes, file.md5, file.sha512],
      );
      await client.query(
        `UPDATE project_usage SET used = used + $2 WHERE project_id = $1 AND quantity = 'storage_bytes'`,
        [file.project_id, file.size_bytes],
      );
      await client.query('INSERT INTO image_copies (image_id, store_id, stored_file_id) VALUES ($1, $2, $3)', [
        imageId,
        storeId,
        fileId,
      ]);
      await client.query('UPDATE images SET store_ids = store_ids || $2::text WHERE id = $1', [imageId, storeId]);
      await client.query('COMMIT');
    });
  }

  /** The bytes that the ledger of a project holds. */
  async used(projectId: string): Promise<number> {
    const rows = await this.query((client) =>
      client.query(`SELECT used FROM project_usage WHERE project_id = $1 AND quantity = 'storage_bytes'`, [projectId]),
    );
    return Number(rows.rows[0].used);
  }

  /** Takes a whole store away while `work` goes on. */
  async without<T>(storeId: string, work: () => Promise<T>): Promise<T> {
    const path = join(this.folder, storeId);
    await rename(path, `${path}.away`);
    try {
      return await work();
    } finally {
      await rename(`${path}.away`, path);
    }
  }

  private path(storeId: string, key: string): string {
    return join(this.folder, storeId, key);
  }

  private async query<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.kiln.databaseUrl });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}
