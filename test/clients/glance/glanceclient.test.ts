import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { digestOf, program, writeData } from './programs.js';

const PATIENCE_MS = 300_000;

describeWith(['glance'], 'glanceclient', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-glanceclient-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  });

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const glance = (user: string, ...words: string[]): Promise<string> =>
    program('glance', words, kiln.openstackEnv(user), folder);
  /** The rows of a table of two columns, as an object. */
  const table = async (user: string, ...words: string[]): Promise<Record<string, string>> =>
    Object.fromEntries(
      [...(await glance(user, ...words)).matchAll(/^\|\s+(\S+)\s+\|\s+(.*?)\s+\|$/gm)].map(([, key, value]) => [
        key!,
        value!,
      ]),
    );

  it(
    'creates, uploads in chunks of unknown length, downloads and checks',
    async () => {
      const source = join(folder, 'source');
      const saved = join(folder, 'saved');
      await writeData(source, 50_000_000);
      const created = await table(
        'alice',
        ...['--timeout', '60', 'image-create', '--name', 'one', '--disk-format', 'raw', '--container-format', 'bare'],
        ...['--file', source, '--property', 'os_distro=debian', '--property', 'custom=1', '--tags', 'a', 'b'],
      );
      const { id } = created as { id: string };

      expect(created).toMatchObject({
        status: 'active',
        size: '50000000',
        checksum: await digestOf(source, 'md5'),
        os_distro: 'debian',
        custom: '1',
        stores: 'default',
      });
      await glance('alice', 'image-download', '--file', saved, id);
      expect(await digestOf(saved, 'sha512')).toBe(await digestOf(source, 'sha512'));
    },
    PATIENCE_MS,
  );

  it(
    'walks the pages of a list',
    async () => {
      for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) await glance('bob', 'image-create', '--name', name);
      const list = await glance('bob', 'image-list', '--page-size', '2', '--sort', 'name:asc');

      expect([...list.matchAll(/\| (p\d)/g)].map(([, name]) => name)).toEqual(['p1', 'p2', 'p3', 'p4', 'p5']);
      const filtered = await glance('bob', 'image-list', '--property-filter', 'name=in:p2,p4', '--limit', '1');
      expect([...filtered.matchAll(/\| (p\d)/g)].map(([, name]) => name)).toEqual(['p2']);
    },
    PATIENCE_MS,
  );

  it(
    'updates, tags, shares and deletes',
    async () => {
      const { id } = (await table('alice', 'image-create', '--name', 'two', '--property', 'gone=1')) as { id: string };
      const updated = await table(
        'alice',
        'image-update',
        '--name',
        'zwei',
        '--property',
        'new=2',
        '--remove-property',
        'gone',
        id,
      );
      expect(updated).toMatchObject({ name: 'zwei', new: '2' });
      expect(updated).not.toHaveProperty('gone');
      await glance('alice', 'image-tag-update', id, 'tag');
      await glance('alice', 'image-tag-delete', id, 'tag');
      await glance('alice', 'member-create', id, BETA);
      await glance('bob', 'member-update', id, BETA, 'accepted');
      expect(await glance('bob', 'image-list')).toContain('zwei');
      await glance('alice', 'member-delete', id, BETA);
      await glance('alice', 'image-delete', id);
      await expect(glance('alice', 'image-show', id)).rejects.toMatchObject({
        stderr: expect.stringContaining('HTTP 404 Not Found: No image found with ID'),
      });
    },
    PATIENCE_MS,
  );

  it(
    'is told why something is refused',
    async () => {
      await expect(glance('alice', 'image-create', '--visibility', 'public')).rejects.toMatchObject({
        stderr: expect.stringMatching(/HTTP 403 Forbidden: .*public/),
      });
      await expect(glance('rita', 'image-create', '--name', 'x')).rejects.toMatchObject({
        stderr: expect.stringContaining('HTTP 403 Forbidden'),
      });
    },
    PATIENCE_MS,
  );

  it(
    'knows the stores',
    async () => {
      expect(await glance('alice', 'stores-info')).toContain('"id": "default"');
      expect(await glance('root', 'stores-info', '--detail')).toContain('"type": "file"');
    },
    PATIENCE_MS,
  );
});
