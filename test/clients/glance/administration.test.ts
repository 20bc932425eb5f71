import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { BETA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { type Client, clients } from '../../contract/glance/wire.js';
import { program } from './programs.js';

const PATIENCE_MS = 300_000;
const RAW = ['--disk-format', 'raw', '--container-format', 'bare'];

describeWith(['glance'], 'glanceclient, on what owners and administrators do', () => {
  let web: WebServer;
  let kiln: RunningKiln;
  let folder: string;
  let alice: Client;

  beforeAll(async () => {
    web = await webServer();
    folder = await mkdtemp(join(tmpdir(), 'kiln-glance-admin-'));
    await writeFile(join(folder, 'source'), Buffer.alloc(1_000_000, 'kiln'));
    const [alpha, ...others] = STANDARD_BOOTSTRAP.projects;
    kiln = await startKiln({
      env: { KILN_EGRESS_ALLOW: web.host, KILN_IMAGE_LOCATIONS: 'shown' },
      bootstrap: { ...STANDARD_BOOTSTRAP, projects: [{ ...alpha, limits: { images: 50 } }, ...others] },
    });
    ({ alice } = await clients(kiln));
  });

  afterAll(async () => {
    await kiln?.stop();
    await web?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const glance = (user: string, ...words: string[]): Promise<string> =>
    program('glance', words, kiln.openstackEnv(user), folder);
  const withData = async (): Promise<string> => {
    const text = await glance('alice', 'image-create', '--file', join(folder, 'source'), ...RAW);
    return /\| id +\| (\S+)/.exec(text)![1]!;
  };

  it(
    'deactivates and reactivates, shows members, usage and schemas',
    async () => {
      const id = await withData();
      await glance('alice', 'image-deactivate', id);
      expect((await alice.show(id)).body.status).toBe('deactivated');
      await glance('alice', 'image-reactivate', id);
      expect((await alice.show(id)).body.status).toBe('active');

      await glance('alice', 'member-create', id, BETA);
      expect(await glance('alice', 'member-list', '--image-id', id)).toMatch(new RegExp(`${BETA}.*pending`));
      expect(await glance('alice', 'member-get', id, BETA)).toContain('pending');

      expect(await glance('alice', 'usage')).toMatch(/image_count_total +\| +50 +\| +1 /);
      expect(await glance('alice', 'explain', 'image')).toContain('os_hash_value');
    },
    PATIENCE_MS,
  );

  it(
    'fills, shows and clears the cache',
    async () => {
      const [first, second] = [await withData(), await withData()];
      await glance('root', 'cache-queue', first);
      await glance('root', 'cache-queue', second);
      await eventually(async () => expect(await glance('root', 'cache-list')).toMatch(new RegExp(first)), 60_000);
      await glance('root', 'cache-delete', first);
      expect(await glance('root', 'cache-list')).not.toContain(first);
      await glance('root', 'cache-clear');
      expect(await glance('root', 'cache-list')).not.toContain(second);
    },
    PATIENCE_MS,
  );

  it(
    'adds, describes and removes locations',
    async () => {
      const data = Buffer.alloc(5_000, 1);
      const [url, more] = [web.bytes('/location', data), web.bytes('/mirror', data)];
      const digest = (algorithm: string) => createHash(algorithm).update(data).digest('hex');
      const hashes = ['--checksum', digest('md5'), '--hash-algo', 'sha512', '--hash-value', digest('sha512')];
      const { id } = await alice.create({ disk_format: 'raw', container_format: 'bare' });
      await glance('root', 'location-add', '--url', url, ...hashes, id);
      await glance('root', 'location-add', '--url', more, '--metadata', '{"rack": "a"}', ...hashes, id);
      expect((await alice.show(id)).body).toMatchObject({ status: 'active', locations: [{ url }, { url: more }] });
      await glance('root', 'location-update', '--url', more, '--metadata', '{"rack": "b"}', id);
      expect((await alice.show(id)).body.locations[1].metadata).toMatchObject({ rack: 'b' });
      await glance('root', 'location-delete', '--url', more, id);
      expect((await alice.show(id)).body.locations).toMatchObject([{ url }]);
    },
    PATIENCE_MS,
  );

  it(
    'empties a namespace of definitions',
    async () => {
      await glance('root', 'md-namespace-create', 'OS::Emptied');
      await glance('root', 'md-namespace-objects-delete', 'OS::Emptied');
      await glance('root', 'md-namespace-properties-delete', 'OS::Emptied');
      await glance('root', 'md-namespace-tags-delete', 'OS::Emptied');
      expect(await glance('root', 'md-namespace-show', 'OS::Emptied')).toContain('OS::Emptied');
    },
    PATIENCE_MS,
  );
});
