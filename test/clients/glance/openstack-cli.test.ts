import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { digestOf, GIB, program, writeData } from './programs.js';

const PATIENCE_MS = 300_000;

describeWith(['openstack'], 'the OpenStack CLI', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-cli-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  });

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const openstack = (user: string, ...words: string[]): Promise<string> =>
    program('openstack', words, kiln.openstackEnv(user), folder);
  const json = async <T = any>(user: string, ...words: string[]): Promise<T> =>
    JSON.parse(await openstack(user, ...words, '-f', 'json')) as T;
  const names = async (user: string, ...words: string[]): Promise<string[]> =>
    (await json<{ Name: string }[]>(user, 'image', 'list', ...words)).map(({ Name }) => Name);
  /** The CLI uploads its standard input where there is any; `--file` with nothing in it does no harm. */
  const create = (user: string, name: string, ...words: string[]) =>
    json(user, 'image', 'create', name, '--file', '/dev/null', ...words);

  it(
    'lists by name, property and page, in the order asked for',
    async () => {
      await create('alice', 'page-a', '--property', 'os_distro=debian', '--tag', 'stable');
      await create('alice', 'page-b', '--property', 'os_distro=suse');
      const { id } = await create('alice', 'page-c', '--property', 'os_distro=debian');

      expect(await names('alice', '--sort', 'name:asc')).toEqual(['page-a', 'page-b', 'page-c']);
      expect(await names('alice', '--sort', 'name:desc')).toEqual(['page-c', 'page-b', 'page-a']);
      expect(await names('alice', '--limit', '1')).toEqual(['page-c']);
      expect(await names('alice', '--limit', '1', '--marker', id)).toEqual(['page-b']);
      expect(await names('alice', '--property', 'os_distro=debian', '--sort', 'name:asc')).toEqual([
        'page-a',
        'page-c',
      ]);
      expect(await names('alice', '--tag', 'stable')).toEqual(['page-a']);
      expect(await names('alice', '--name', 'page-b')).toEqual(['page-b']);
      expect(await names('bob')).toEqual([]);
      expect(await openstack('alice', 'image', 'show', id, '-f', 'value', '-c', 'owner')).toBe(`${ALPHA}\n`);
    },
    PATIENCE_MS,
  );

  it(
    'sets and unsets names, properties and tags',
    async () => {
      const { id } = await create('alice', 'before');
      await openstack(
        'alice',
        'image',
        'set',
        '--name',
        'after',
        '--property',
        'a=1',
        '--property',
        'b=2',
        '--tag',
        't',
        id,
      );
      await openstack('alice', 'image', 'set', '--min-ram', '512', '--protected', '--community', id);
      expect(await json('alice', 'image', 'show', id)).toMatchObject({
        name: 'after',
        properties: { a: '1', b: '2' },
        tags: ['t'],
        min_ram: 512,
        protected: true,
        visibility: 'community',
      });

      await expect(openstack('alice', 'image', 'delete', id)).rejects.toMatchObject({
        stderr: expect.stringContaining('protected'),
      });
      await openstack('alice', 'image', 'unset', '--property', 'a', '--tag', 't', id);
      await openstack('alice', 'image', 'set', '--unprotected', id);
      const shown = await json('alice', 'image', 'show', id);
      expect(shown).toMatchObject({ tags: [], protected: false, properties: { b: '2' } });
      expect(shown.properties).not.toHaveProperty('a');
      await openstack('alice', 'image', 'delete', id);
    },
    PATIENCE_MS,
  );

  it(
    'shares an image, which the other project accepts',
    async () => {
      const { id } = await create('alice', 'shared');
      await openstack('alice', 'image', 'add', 'project', id, BETA);
      expect(await names('bob')).not.toContain('shared');
      await openstack('bob', 'image', 'set', '--accept', id);
      expect(await names('bob')).toContain('shared');
      expect(await json('alice', 'image', 'member', 'list', id)).toMatchObject([
        { 'Member ID': BETA, Status: 'accepted' },
      ]);
      await openstack('alice', 'image', 'remove', 'project', id, BETA);
      await expect(openstack('bob', 'image', 'show', id)).rejects.toMatchObject({
        stderr: expect.stringContaining('No Image found'),
      });
    },
    PATIENCE_MS,
  );

  it(
    'uploads a gibibyte, saves it and gets the same bytes',
    async () => {
      const source = join(folder, 'source');
      const saved = join(folder, 'saved');
      await writeData(source, GIB);
      const [md5, sha512] = [await digestOf(source, 'md5'), await digestOf(source, 'sha512')];
      const { id } = await json(
        'alice',
        ...['image', 'create', 'large', '--file', source, '--disk-format', 'raw', '--container-format', 'bare'],
      );

      expect(await json('alice', 'image', 'show', id)).toMatchObject({
        status: 'active',
        size: GIB,
        checksum: md5,
        properties: { os_hash_algo: 'sha512', os_hash_value: sha512, stores: 'default' },
      });
      await openstack('alice', 'image', 'save', '--file', saved, id);
      expect(await digestOf(saved, 'sha512')).toBe(sha512);
      await openstack('alice', 'image', 'delete', id);
      await expect(openstack('alice', 'image', 'show', id)).rejects.toMatchObject({
        stderr: expect.stringContaining('No Image found'),
      });
    },
    PATIENCE_MS,
  );
});
