import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { RunningKiln } from '../support/kiln.js';

/** What any request may leave behind: that somebody signed in, and how often it asked. */
const BOOKKEEPING = /^(tokens|rate_limits?|migrations|replays?)$/;

/** What there is, by table and file: a digest of the rows, and the sizes of the bytes. */
export async function stateOf(kiln: RunningKiln): Promise<Readonly<Record<string, string>>> {
  const client = new pg.Client({ connectionString: kiln.databaseUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
    );
    const state: Record<string, string> = {};
    for (const { name } of tables.filter((table) => !BOOKKEEPING.test(table.name))) {
      const { rows } = await client.query<{ digest: string }>(
        `SELECT count(*) || ' rows ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') AS digest
         FROM "${name}" t`,
      );
      state[name] = rows[0]!.digest;
    }
    return { ...state, files: (await filesBelow(join(kiln.dataDir, 'objects'))).sort().join('\n') };
  } finally {
    await client.end();
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (file) => `${file} ${(await stat(file)).size}`));
}
