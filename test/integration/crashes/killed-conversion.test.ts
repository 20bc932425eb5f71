import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import pg from 'pg';
import { Client } from '../../contract/glance/wire.js';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { endLeases } from '../../support/leases.js';
import { processesWith } from '../../support/processes.js';
import { describeWith } from '../../support/programs.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';

const MIB = 1024 * 1024;
const DISK_MIB = 64;
/** What came of the data lies below this name in the work folder. */
const ARRIVING = 'recipe.tar';

describeWith(['qemu-img', 'bwrap', 'unshare', 'prlimit', 'python3', 'mkfifo'], 'a conversion', () => {
  let web: WebServer;
  let api: RunningKiln;
  let alice: Client;
  let database: pg.Client;
  let env: Record<string, string>;
  const started: RunningKiln[] = [];

  beforeAll(async () => {
    web = await webServer();
    env = {
      KILN_EGRESS_ALLOW: web.host,
      KILN_JOB_LEASE: '30s',
      KILN_IMPORT_DECOMPRESS: 'on',
      KILN_IMPORT_CONVERT_TO: 'qcow2',
    };
    api = await startKiln({ env: { ...env, KILN_ROLE: 'api' } });
    alice = new Client(api, await api.token('alice'));
    database = new pg.Client({ connectionString: api.databaseUrl });
    await database.connect();
  });
  afterAll(async () => {
    await database?.end();
    for (const kiln of started) await kiln.stop();
    await api?.stop();
    await web?.close();
  });

  async function worker(): Promise<RunningKiln> {
    const kiln = await startKiln({ beside: api, env: { ...env, KILN_ROLE: 'worker' } });
    started.push(kiln);
    return kiln;
  }

  const folders = () => readdir(join(api.dataDir, 'builds')).catch(() => []);

  it('is taken over by another worker when its own is killed in the midst of it, and leaves nothing behind', async () => {
    const first = await worker();
    const page = web.held('/packed', await packedDisk());
    const { id } = await alice.create({ disk_format: 'raw', container_format: 'bare' });
    const method = { name: 'web-download', uri: page.url };
    expect((await alice.ask('POST', `/v2/images/${id}/import`, { method })).status).toBe(202);
    const folder = await eventually(async () => {
      const [name] = await folders();
      const path = join(api.dataDir, 'builds', name!);
      expect((await stat(join(path, ARRIVING))).size).toBeGreaterThan(0);
      return path;
    }, 60_000);
    const { token } = JSON.parse(await readFile(join(folder, 'owner.json'), 'utf8'));
    // A pipe that nobody writes to, in the place of what came: the sandbox waits there and does not end before it is killed.
    await rename(join(folder, ARRIVING), join(folder, 'arrived'));
    execFileSync('mkfifo', [join(folder, ARRIVING)]);
    page.release();
    await eventually(async () =>
      expect(await processesWith(token)).toContainEqual(expect.stringMatching(/^bwrap .*sandbox\.py/)),
    );

    await first.kill();
    await endLeases(database);
    await worker();

    await eventually(async () => (await alice.show(id)).body.status === 'active', 120_000);
    expect((await alice.show(id)).body).toMatchObject({ disk_format: 'qcow2', virtual_size: DISK_MIB * MIB });
    await eventually(async () => expect(await folders()).toEqual([]), 60_000);
    expect(await processesWith(token)).toEqual([]);
  }, 240_000);
});

/** An empty disk, which is large only while it is unpacked. */
async function packedDisk(): Promise<Buffer> {
  const zeros = Buffer.alloc(MIB);
  const gzip = createGzip({ level: 1 });
  const packed = buffer(gzip);
  await pipeline(Readable.from(Array.from({ length: DISK_MIB }, () => zeros)), gzip);
  return packed;
}
