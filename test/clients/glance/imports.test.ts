import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { type Client, clients } from '../../contract/glance/wire.js';
import { digestOf, program, writeData } from './programs.js';

const PATIENCE_MS = 300_000;
const RAW = ['--disk-format', 'raw', '--container-format', 'bare'];

describeWith(['glance', 'openstack'], 'the clients, on imports, stores and tasks', () => {
  let web: WebServer;
  let kiln: RunningKiln;
  let folder: string;
  let source: string;
  let root: Client;

  beforeAll(async () => {
    web = await webServer();
    folder = await mkdtemp(join(tmpdir(), 'kiln-imports-'));
    source = join(folder, 'source');
    await writeData(source, 3_000_000);
    kiln = await startKiln({
      env: {
        KILN_EGRESS_ALLOW: web.host,
        KILN_STORES: JSON.stringify(
          ['fast', 'archive'].map((id) => ({ id, type: 'file', path: join(folder, id), description: `The ${id} one` })),
        ),
      },
    });
    ({ root } = await clients(kiln));
  });

  afterAll(async () => {
    await kiln?.stop();
    await web?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const glance = (user: string, ...words: string[]): Promise<string> =>
    program('glance', words, kiln.openstackEnv(user), folder);
  const created = async (user: string, ...words: string[]): Promise<string> =>
    /\| id +\| (\S+)/.exec(await glance(user, ...words))![1]!;
  const active = (id: string): Promise<any> =>
    eventually(async () => {
      const { body } = await root.show(id);
      return body.status === 'active' && !body.os_glance_import_task ? body : false;
    }, 60_000);

  it(
    'stage and import in two calls and in one, into chosen stores',
    async () => {
      const checksum = await digestOf(source, 'md5');
      const id = await created('alice', 'image-create', '--name', 'two calls', ...RAW);
      await glance('alice', 'image-stage', '--file', source, id);
      await glance('alice', 'image-import', '--import-method', 'glance-direct', '--stores', 'fast,archive', id);
      expect(await active(id)).toMatchObject({ checksum, stores: 'archive,fast' });
      expect(await glance('alice', 'image-tasks', id)).toContain('Copied');

      const direct = ['image-create-via-import', '--import-method', 'glance-direct', '--file', source];
      expect(await active(await created('alice', ...direct, '--store', 'archive', ...RAW))).toMatchObject({
        checksum,
        stores: 'archive',
      });

      const uploaded = await created('alice', 'image-create', ...RAW);
      await glance('alice', 'image-upload', '--file', source, '--store', 'archive', uploaded);
      expect(await active(uploaded)).toMatchObject({ checksum, stores: 'archive' });

      const words = ['image', 'create', 'by the CLI', '--import', '--file', source, ...RAW, '-f', 'value', '-c', 'id'];
      const byCli = (await program('openstack', words, kiln.openstackEnv('alice'), folder)).trim();
      expect(await active(byCli)).toMatchObject({ checksum });
    },
    PATIENCE_MS,
  );

  it(
    'download from the web, copy to another store, and delete from one',
    async () => {
      const uri = web.bytes('/image', Buffer.alloc(70_000, 7));
      const words = ['image-create-via-import', '--import-method', 'web-download', '--uri', uri];
      const id = await created('alice', ...words, '--store', 'fast', ...RAW);
      expect(await active(id)).toMatchObject({ size: 70_000, stores: 'fast' });

      await glance('root', 'image-import', '--import-method', 'copy-image', '--stores', 'archive', id);
      await eventually(async () => (await active(id)).stores === 'archive,fast', 60_000);
      await glance('root', 'stores-delete', '--store', 'fast', id);
      expect((await root.show(id)).body.stores).toBe('archive');
    },
    PATIENCE_MS,
  );

  it(
    'show what imports are possible, and their tasks',
    async () => {
      const info = await glance('alice', 'import-info');
      for (const method of ['web-download', 'copy-image']) expect(info).toContain(method);

      const input = { import_from: web.bytes('/task', Buffer.alloc(100)), import_from_format: 'raw' };
      const properties = { image_properties: { disk_format: 'raw', container_format: 'bare' } };
      const task = ['task-create', '--type', 'import', '--input', JSON.stringify({ ...input, ...properties })];
      const id = await created('root', ...task);
      await eventually(async () => expect(await glance('root', 'task-show', id)).toMatch(/status +\| success/), 60_000);
      expect(await glance('root', 'task-list')).toContain(id);
      await expect(glance('alice', 'task-list')).rejects.toMatchObject({ stderr: expect.stringContaining('403') });
    },
    PATIENCE_MS,
  );
});
