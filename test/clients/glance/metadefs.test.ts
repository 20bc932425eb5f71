import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/programs.js';
import { program } from './programs.js';

const PATIENCE_MS = 600_000;
/** Where Debian's package `glance-common` has the namespaces that come with Glance. */
const STANDARD_FOLDER = '/etc/glance/metadefs';

type Json = Record<string, any>;

const asObject = async (reply: Response): Promise<Json> => JSON.parse(await reply.text()) as Json;

describeWith(['glance'], 'glanceclient, metadata definitions', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-glance-md-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  }, PATIENCE_MS);

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const glance = (...words: string[]): Promise<string> => program('glance', words, kiln.openstackEnv('root'), folder);
  const refused = (...words: string[]): Promise<string> =>
    glance(...words).then(
      () => '',
      (error: Json) => error.stderr,
    );
  /** The second column of a table, by the first. */
  const rows = (text: string): Record<string, string> =>
    Object.fromEntries([...text.matchAll(/^\|\s+(\S+)\s+\|\s+(.*?)\s+\|/gm)].map(([, key, value]) => [key!, value!]));
  const ask = async (path: string): Promise<Json> => {
    const headers = { 'x-auth-token': await kiln.token('root') };
    return asObject(await fetch(`${kiln.url}/image/v2/${path}`, { headers }));
  };

  it(
    'writes and reads namespaces',
    async () => {
      const words = [
        '--display-name',
        'Shown',
        '--description',
        'Words',
        '--visibility',
        'public',
        '--protected',
        'True',
      ];
      expect(rows(await glance('md-namespace-create', 'Cli::One', ...words))).toMatchObject({
        namespace: 'Cli::One',
        display_name: 'Shown',
        visibility: 'public',
        protected: 'True',
      });
      expect(rows(await glance('md-namespace-update', 'Cli::One', '--protected', 'False'))).toMatchObject({
        protected: 'False',
        display_name: 'Shown',
      });
      expect(rows(await glance('md-namespace-show', 'Cli::One'))).toMatchObject({ description: 'Words' });
      expect(await glance('md-namespace-list', '--visibility', 'public', '--page-size', '1')).toContain('Cli::One');
      await writeFile(join(folder, 'import.json'), JSON.stringify({ namespace: 'Cli::File', tags: [{ name: 't' }] }));
      await glance('md-namespace-import', '--file', join(folder, 'import.json'));
      expect((await ask('metadefs/namespaces/Cli::File')).tags).toEqual([{ name: 't' }]);
      await glance('md-namespace-delete', 'Cli::File');
      expect(await refused('md-namespace-show', 'Cli::File')).toContain('404');
    },
    PATIENCE_MS,
  );

  it(
    'writes and reads what namespaces define',
    async () => {
      const space = 'Cli::Parts';
      await glance('md-namespace-create', space);
      const schema = '{"type": "string", "default": "x"}';
      await glance('md-property-create', space, '--name', 'p', '--title', 'P', '--schema', schema);
      await glance('md-property-update', space, 'p', '--name', 'q', '--title', 'Q', '--schema', schema);
      expect(await glance('md-property-list', space)).toContain('Q');
      expect(rows(await glance('md-property-show', space, 'q'))).toMatchObject({ name: 'q', default: 'x' });
      const object = '{"description": "D", "properties": {"r": {"type": "integer", "title": "R"}}}';
      await glance('md-object-create', space, '--name', 'o', '--schema', object);
      await glance('md-object-update', space, 'o', '--name', 'n', '--schema', object);
      expect(await glance('md-object-list', space)).toContain('D');
      expect(rows(await glance('md-object-show', space, 'n'))).toMatchObject({ name: 'n' });
      expect(rows(await glance('md-object-property-show', space, 'n', 'r'))).toMatchObject({ title: 'R' });
      await glance('md-resource-type-associate', space, '--name', 'OS::Cli', '--prefix', 'c:');
      expect(await glance('md-namespace-resource-type-list', space)).toContain('OS::Cli');
      expect(await glance('md-resource-type-list')).toContain('OS::Cli');
      expect(await glance('md-namespace-show', space, '--resource-type', 'OS::Cli')).toContain('c:q');
      expect(await glance('md-namespace-list', '--resource-types', 'OS::Cli')).toContain(space);
      await glance('md-resource-type-deassociate', space, 'OS::Cli');
      await glance('md-tag-create', space, '--name', 'one');
      await glance('md-tag-update', space, 'one', '--name', 'two');
      expect(rows(await glance('md-tag-show', space, 'two'))).toMatchObject({ name: 'two' });
      // Without --append: this glanceclient puts a boolean into the header, and fails before it asks.
      await glance('md-tag-create-multiple', space, '--names', 'a,b', '--delim', ',');
      expect((await ask(`metadefs/namespaces/${space}/tags?sort_key=name&sort_dir=asc`)).tags).toEqual([
        { name: 'a' },
        { name: 'b' },
      ]);
      await glance('md-tag-create-multiple', space, '--names', 'c');
      expect((await ask(`metadefs/namespaces/${space}/tags`)).tags).toEqual([{ name: 'c' }]);
      expect(await glance('md-tag-list', space)).toContain('c');
      await glance('md-tag-delete', space, 'c');
      await glance('md-object-delete', space, 'n');
      await glance('md-property-delete', space, 'q');
      for (const part of ['objects', 'properties', 'tags']) await glance(`md-namespace-${part}-delete`, space);
      expect(Object.keys(await ask(`metadefs/namespaces/${space}`))).not.toEqual(expect.arrayContaining(['objects']));
      await glance('md-namespace-delete', space);
    },
    PATIENCE_MS,
  );

  it(
    'lists, queues, deletes and clears what is cached',
    async () => {
      await writeFile(join(folder, 'data'), 'some bytes');
      const made = await glance(
        ...['image-create', '--name', 'cached', '--disk-format', 'raw', '--container-format', 'bare'],
        ...['--file', join(folder, 'data')],
      );
      const { id } = rows(made) as { id: string };

      await glance('cache-queue', id);
      await eventually(async () => (await ask('cache')).cached_images.length === 1);
      expect(await glance('cache-list')).toContain(id);
      await glance('cache-delete', id);
      expect(await glance('cache-list')).not.toContain(id);
      await glance('cache-queue', id);
      await glance('cache-clear', '--target', 'queue');
      await glance('cache-clear');
      expect(await ask('cache')).toEqual({ cached_images: [], queued_images: [] });
    },
    PATIENCE_MS,
  );
});

const standard = existsSync(STANDARD_FOLDER);

(standard ? describe : describe.skip)(`the namespaces of Glance${standard ? '' : ' [needs glance-common]'}`, () => {
  let kiln: RunningKiln;

  beforeAll(async () => {
    kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_METADEFS_DIR: STANDARD_FOLDER } });
  }, PATIENCE_MS);

  afterAll(() => kiln?.stop());

  it(
    'are all loaded from their files, and served as they stand there',
    async () => {
      const files = (await readdir(STANDARD_FOLDER)).filter((name) => name.endsWith('.json'));
      const token = await kiln.token('root');
      expect(files.length).toBeGreaterThan(30);

      for (const file of files) {
        const wanted = JSON.parse(await readFile(join(STANDARD_FOLDER, file), 'utf8')) as Json;
        const address = `${kiln.url}/image/v2/metadefs/namespaces/${encodeURIComponent(wanted.namespace)}`;
        const reply = await fetch(address, { headers: { 'x-auth-token': token } });
        const served = await asObject(reply);

        expect([file, served]).toEqual([file, expect.objectContaining(asServed(wanted))]);
      }
      expect(kiln.output()).not.toContain('could not be loaded');
    },
    PATIENCE_MS,
  );
});

/** A file as the API shows it: with defaults as text, and with the times and addresses that the service adds. */
function asServed(file: Json): Json {
  const { resource_type_associations: associations = [], objects = [], properties = {}, tags, ...rest } = file;
  const property = ({ default: given, ...definition }: Json): Json => ({
    ...definition,
    ...(given === undefined ? {} : { default: String(given) }),
  });
  const dictionary = (all: Json): Json =>
    Object.fromEntries(Object.entries(all).map(([name, definition]) => [name, property(definition as Json)]));
  return {
    visibility: 'private',
    owner: 'admin',
    ...rest,
    ...(associations.length > 0
      ? {
          // In the order in which the types came up first, as the reference has it.
          resource_type_associations: expect.arrayContaining(
            associations.map((each: Json) => expect.objectContaining(each)),
          ),
        }
      : {}),
    ...(Object.keys(properties as Json).length > 0 ? { properties: dictionary(properties as Json) } : {}),
    ...(objects.length > 0
      ? {
          objects: objects.map((object: Json) =>
            expect.objectContaining({ ...object, properties: dictionary((object.properties ?? {}) as Json) }),
          ),
        }
      : {}),
    ...(tags === undefined ? {} : { tags }),
  };
}
