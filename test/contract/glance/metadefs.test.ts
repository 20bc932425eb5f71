// The exchanges are those of the Image API v2 reference ("Metadata definitions") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients } from './wire.js';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const TIMES = { created_at: TIME, updated_at: TIME };
const ROOT = '/v2/metadefs/namespaces';

let folder: string;
let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-metadefs-'));
  await mkdir(join(folder, 'sub.json'));
  await writeFile(join(folder, 'good.json'), JSON.stringify({ namespace: 'From::File', visibility: 'public' }));
  await writeFile(join(folder, 'again.json'), JSON.stringify({ namespace: 'From::File', description: 'another' }));
  await writeFile(join(folder, 'not-json.json'), '{');
  await writeFile(join(folder, 'bad.json'), JSON.stringify({ namespace: 'Bad', properties: { p: { type: 'x' } } }));
  await writeFile(join(folder, 'README'), 'no definition');
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_METADEFS_DIR: folder } });
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(async () => {
  await kiln?.stop();
  await rm(folder, { recursive: true, force: true });
});

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const at = (namespace: string, ...rest: string[]): string =>
  [ROOT, ...[namespace, ...rest].map(encodeURIComponent)].join('/');

let made = 0;
/** A new namespace of alice's project, and its path. */
async function aNamespace(body: object = {}): Promise<{ name: string; path: string }> {
  const name = `Test::${(made += 1)}`;
  const answer = await root.ask('POST', ROOT, { namespace: name, owner: ALPHA, ...body });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  return { name, path: at(name) };
}

const PROPERTY = { type: 'integer', title: 'Cores', default: 4, minimum: 1, enum: [1, 4], operators: ['<in>'] };
const SHOWN = { ...PROPERTY, default: '4' };

describe('a namespace', () => {
  it('is made with everything in it at once, and shown so', async () => {
    const name = 'Whole::one';
    const body = {
      namespace: name,
      display_name: 'Whole',
      description: 'All of it',
      visibility: 'public',
      protected: false,
      properties: { 'cpu:cores': PROPERTY },
      objects: [{ name: 'o', description: 'd', required: ['q'], properties: { q: { type: 'boolean', title: 'Q' } } }],
      tags: [{ name: 'first' }, { name: 'second' }],
      resource_type_associations: [{ name: 'OS::Nova::Flavor', prefix: 'hw:', properties_target: 'image' }],
    };

    const created = await root.ask('POST', ROOT, body);
    const shown = await rita.ask('GET', at(name));

    expect([created.status, created.headers.get('location')]).toEqual([201, `${kiln.url}/image${at(name)}`]);
    const whole = {
      ...body,
      owner: ALPHA,
      ...TIMES,
      properties: { 'cpu:cores': SHOWN },
      objects: [
        { ...body.objects[0], ...TIMES, self: `${ROOT}/${name}/objects/o`, schema: '/v2/schemas/metadefs/object' },
      ],
      resource_type_associations: [{ ...body.resource_type_associations[0], ...TIMES }],
      self: `${ROOT}/${name}`,
      schema: '/v2/schemas/metadefs/namespace',
    };
    expect(created.body).toEqual(whole);
    expect([shown.status, shown.body]).toEqual([200, { ...whole, tags: [{ name: 'second' }, { name: 'first' }] }]);
  });

  it('leaves out what nobody said, and has the defaults of the reference', async () => {
    const answer = await root.ask('POST', ROOT, { namespace: 'Bare' });

    expect(answer.body).toEqual({
      namespace: 'Bare',
      visibility: 'private',
      protected: false,
      owner: ALPHA,
      ...TIMES,
      self: `${ROOT}/Bare`,
      schema: '/v2/schemas/metadefs/namespace',
    });
  });

  it('is made whole or not at all', async () => {
    const twice = await root.ask('POST', ROOT, { namespace: 'Half', tags: [{ name: 'a' }, { name: 'a' }] });

    expect(of(twice, await root.ask('GET', at('Half')))).toEqual([409, 404]);
  });

  it('is written by administrators, read by its project, and for others not there', async () => {
    const { name, path } = await aNamespace({ tags: [{ name: 'a' }], objects: [{ name: 'o' }] });
    const body = { namespace: name };

    for (const client of [alice, rita]) {
      expect(of(await client.ask('GET', path), await client.ask('PUT', path, body))).toEqual([200, 403]);
      expect(of(await client.ask('DELETE', path), await client.ask('POST', ROOT, body))).toEqual([403, 403]);
      expect(of(await client.ask('POST', `${path}/tags/b`), await client.ask('DELETE', `${path}/tags/a`))).toEqual([
        403, 403,
      ]);
    }
    const reads = ['', '/objects', '/objects/o', '/properties', '/tags', '/tags/a', '/resource_types'];
    for (const read of reads) expect(of(await bob.ask('GET', path + read))).toEqual([404]);
    expect(of(await bob.ask('PUT', path, body), await bob.ask('DELETE', path))).toEqual([404, 404]);
    expect(of(await bob.ask('POST', `${path}/tags/b`), await bob.ask('DELETE', `${path}/objects`))).toEqual([404, 404]);
    expect(of(await ask(kiln, 'GET', path), await ask(kiln, 'GET', path, { token: 'nonsense' }))).toEqual([401, 401]);
  });

  it('is there for everybody while it is public', async () => {
    const { name, path } = await aNamespace({ visibility: 'public' });

    expect(of(await bob.ask('GET', path), await bob.ask('DELETE', path))).toEqual([200, 403]);
    await root.ask('PUT', path, { namespace: name, owner: ALPHA });
    expect(of(await bob.ask('GET', path), await alice.ask('GET', path))).toEqual([404, 200]);
  });

  it('is replaced as a whole, what it defines stays', async () => {
    const { path } = await aNamespace({
      display_name: 'Old',
      description: 'old',
      visibility: 'public',
      protected: true,
      tags: [{ name: 'a' }],
    });

    const replaced = await root.ask('PUT', path, { namespace: 'New name', tags: [{ name: 'b' }] });

    expect(replaced.status).toBe(200);
    expect(replaced.body).toEqual({
      namespace: 'New name',
      visibility: 'private',
      protected: false,
      owner: ALPHA,
      ...TIMES,
      self: `${ROOT}/New name`,
      schema: '/v2/schemas/metadefs/namespace',
    });
    expect(of(await root.ask('GET', path))).toEqual([404]);
    expect((await root.ask('GET', at('New name'))).body.tags).toEqual([{ name: 'a' }]);
  });

  it('has a name of its own', async () => {
    const [first, second] = [await aNamespace(), await aNamespace()];

    expect(of(await root.ask('POST', ROOT, { namespace: first.name }))).toEqual([409]);
    expect(of(await root.ask('PUT', second.path, { namespace: first.name }))).toEqual([409]);
    const racers = await Promise.all([...Array(6).keys()].map(() => root.ask('POST', ROOT, { namespace: 'Raced' })));
    expect(of(...racers).sort()).toEqual([201, 409, 409, 409, 409, 409]);
  });

  it('goes with everything in it', async () => {
    const { name, path } = await aNamespace({ tags: [{ name: 'a' }], objects: [{ name: 'o' }] });

    expect(of(await root.ask('DELETE', path), await root.ask('GET', path))).toEqual([204, 404]);
    await root.ask('POST', ROOT, { namespace: name });
    expect((await root.ask('GET', path)).body).not.toHaveProperty('tags');
  });

  it('cannot be deleted while it is protected, nor can anything in it', async () => {
    const { name, path } = await aNamespace({
      protected: true,
      tags: [{ name: 'a' }],
      objects: [{ name: 'o' }],
      properties: { p: PROPERTY },
      resource_type_associations: [{ name: 'R' }],
    });
    const everything = ['', '/tags', '/objects', '/properties', '/tags/a', '/objects/o', '/properties/p'];

    for (const part of [...everything, '/resource_types/R']) {
      expect([part, ...of(await root.ask('DELETE', path + part))]).toEqual([part, 403]);
    }
    expect(of(await root.ask('DELETE', `${path}/tags/none`))).toEqual([404]);
    expect(of(await root.ask('PUT', `${path}/tags/a`, { name: 'b' }))).toEqual([200]);
    await root.ask('PUT', path, { namespace: name });
    expect(of(await root.ask('DELETE', path))).toEqual([204]);
  });

  it('shows its properties as resources of a type have them', async () => {
    const { name, path } = await aNamespace({
      properties: { p: PROPERTY },
      objects: [{ name: 'o', required: ['q'], properties: { q: PROPERTY } }],
      resource_type_associations: [{ name: 'R', prefix: 'r:' }, { name: 'Plain' }],
    });
    const show = async (type: string) => (await rita.ask('GET', `${path}?resource_type=${type}`)).body;

    const [on, plain, unknown] = [await show('R'), await show('Plain'), await show('Unknown')];

    expect([on.properties, on.objects[0].properties, on.objects[0].required]).toEqual([
      { 'r:p': SHOWN },
      { 'r:q': SHOWN },
      ['r:q'],
    ]);
    for (const other of [plain, unknown]) expect(Object.keys(other.properties)).toEqual(['p']);
    expect(on.self).toBe(`${ROOT}/${name}`);
  });

  it.each([
    ['no body', '', 400],
    ['broken JSON', '{', 400],
    ['a list', '[]', 400],
    ['no name', '{}', 400],
    ['an empty name', '{"namespace": ""}', 400],
    ['a long name', `{"namespace": "${'x'.repeat(81)}"}`, 400],
    ['a name that is no text', '{"namespace": 5}', 400],
    ['a name with NUL', '{"namespace": "a\\u0000"}', 400],
    ['half a character', '{"namespace": "\\ud800"}', 400],
    ['a long display name', `{"namespace": "n", "display_name": "${'x'.repeat(81)}"}`, 400],
    ['a long description', `{"namespace": "n", "description": "${'x'.repeat(501)}"}`, 400],
    ['no description', '{"namespace": "n", "description": null}', 400],
    ['a long owner', `{"namespace": "n", "owner": "${'x'.repeat(256)}"}`, 400],
    ['another visibility', '{"namespace": "n", "visibility": "shared"}', 400],
    ['protection that is no boolean', '{"namespace": "n", "protected": "true"}', 400],
    ['an unknown key', '{"namespace": "n", "more": 1}', 400],
    ['an unknown key in a tag', '{"namespace": "n", "tags": [{"name": "a", "more": 1}]}', 400],
    ['an object without a name', '{"namespace": "n", "objects": [{}]}', 400],
    ['objects that are no list', '{"namespace": "n", "objects": {}}', 400],
    ['properties that are no dictionary', '{"namespace": "n", "properties": []}', 400],
    [
      'a long property name',
      `{"namespace": "n", "properties": {"${'x'.repeat(81)}": {"type": "string", "title": "t"}}}`,
      400,
    ],
    [
      'a long prefix',
      `{"namespace": "n", "resource_type_associations": [{"name": "r", "prefix": "${'x'.repeat(81)}"}]}`,
      400,
    ],
    ['self', '{"namespace": "n", "self": "x"}', 403],
    ['schema', '{"namespace": "n", "schema": "x"}', 403],
    ['created_at', '{"namespace": "n", "created_at": "x"}', 403],
    ['updated_at', '{"updated_at": "x"}', 403],
  ])('is not made with %s', async (_what, body, status) => {
    expect(of(await root.ask('POST', ROOT, body), await root.ask('PUT', at('Bare'), body))).toEqual([status, status]);
  });

  it('is not found under a name that nothing can have', async () => {
    expect(of(await root.ask('GET', `${ROOT}/a%00`), await root.ask('GET', `${ROOT}/${'x'.repeat(300)}`))).toEqual([
      404, 404,
    ]);
    expect(
      of(
        await root.ask('GET', `${at('Bare')}/tags/a%00`),
        await root.ask('POST', `${at('Bare')}/tags/${'x'.repeat(81)}`),
      ),
    ).toEqual([404, 400]);
  });

  it('may have any characters in its name', async () => {
    const name = 'Ünder / the "hood"?';
    const created = await root.ask('POST', ROOT, { namespace: name, tags: [{ name: 'ä/b' }] });

    expect(created.headers.get('location')).toBe(`${kiln.url}/image${at(name)}`);
    expect((await root.ask('GET', at(name))).body.namespace).toBe(name);
    expect(of(await root.ask('DELETE', at(name, 'tags', 'ä/b')), await root.ask('DELETE', at(name)))).toEqual([
      204, 204,
    ]);
  });
});

describe('the list of namespaces', () => {
  const names = async (client: Client, query: string): Promise<string[]> => {
    const answer = await client.ask('GET', `${ROOT}?${query}`);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer.body.namespaces.map((each: { namespace: string }) => each.namespace);
  };

  beforeAll(async () => {
    for (const letter of ['b', 'a', 'd', 'c']) {
      await root.ask('POST', ROOT, {
        namespace: `List::${letter}`,
        display_name: `same`,
        owner: BETA,
        visibility: letter < 'c' ? 'public' : 'private',
        resource_type_associations: [{ name: `Type::${letter}`, prefix: letter }],
      });
    }
  });

  it('has what is public and what is the own project’s', async () => {
    const listed = (all: string[]) => all.filter((name) => name.startsWith('List::')).sort();

    expect(listed(await names(bob, 'limit=1000'))).toEqual(['List::a', 'List::b', 'List::c', 'List::d']);
    expect(listed(await names(alice, 'limit=1000'))).toEqual(['List::a', 'List::b']);
    expect(listed(await names(root, 'limit=1000'))).toEqual(['List::a', 'List::b', 'List::c', 'List::d']);
    expect(listed(await names(bob, 'limit=1000&visibility=private'))).toEqual(['List::c', 'List::d']);
    expect(listed(await names(alice, 'limit=1000&visibility=private'))).toEqual([]);
    expect(listed(await names(bob, 'limit=1000&visibility=public'))).toEqual(['List::a', 'List::b']);
    expect(await names(bob, 'resource_types=Type::a,Type::d&sort_key=namespace&sort_dir=asc')).toEqual([
      'List::a',
      'List::d',
    ]);
    expect(await names(alice, 'resource_types=Type::d')).toEqual([]);
  });

  it('shows associations, newest first unless told otherwise', async () => {
    const { status, body } = await bob.ask('GET', `${ROOT}?resource_types=Type::c,Type::d&extra=1`);

    expect(status).toBe(200);
    expect(body).toEqual({
      namespaces: ['c', 'd'].map((letter) =>
        expect.objectContaining({
          namespace: `List::${letter}`,
          resource_type_associations: [{ name: `Type::${letter}`, prefix: letter, ...TIMES }],
        }),
      ),
      first: `${ROOT}?resource_types=Type%3A%3Ac%2CType%3A%3Ad&extra=1`,
      schema: '/v2/schemas/metadefs/namespaces',
    });
    expect(body.namespaces[0]).not.toHaveProperty('objects');
  });

  it.each(['created_at', 'id', 'updated_at', 'namespace', 'display_name', 'owner', 'visibility', 'protected'])(
    'is walked whole by %s, either way',
    async (key) => {
      for (const direction of ['asc', 'desc']) {
        const whole = await names(bob, `limit=1000&sort_key=${key}&sort_dir=${direction}`);
        const walked: string[] = [];
        let next: string | undefined = `${ROOT}?limit=2&sort_key=${key}&sort_dir=${direction}`;
        while (next) {
          const { body }: { body: any } = await bob.ask('GET', next);
          walked.push(...body.namespaces.map((each: { namespace: string }) => each.namespace));
          next = body.next;
        }
        expect(walked).toEqual(whole);
        expect(new Set(walked).size).toBeGreaterThanOrEqual(5);
      }
    },
  );

  it.each([
    ['limit=x', 400],
    ['limit=-1', 400],
    ['limit=1.5', 400],
    ['sort_dir=up', 400],
    ['sort_key=nothing', 400],
    ['visibility=shared', 400],
    ['marker=Nothing', 404],
    ['marker=%FF', 400],
    ['marker=%00', 400],
  ])('refuses %s', async (query, status) => {
    expect(of(await alice.ask('GET', `${ROOT}?${query}`))).toEqual([status]);
  });

  it('takes no marker that the caller does not see', async () => {
    expect(
      of(await alice.ask('GET', `${ROOT}?marker=List::d`), await bob.ask('GET', `${ROOT}?marker=List::d`)),
    ).toEqual([404, 200]);
  });

  it('may be empty', async () => {
    const { body } = await alice.ask('GET', `${ROOT}?limit=0`);

    expect(body).toEqual({ namespaces: [], first: `${ROOT}?limit=0`, schema: '/v2/schemas/metadefs/namespaces' });
  });
});

describe('an object', () => {
  it('is made, shown, replaced and deleted', async () => {
    const { name, path } = await aNamespace();
    const shown = (object: { name: string }) => ({
      ...object,
      ...TIMES,
      self: `${ROOT}/${name}/objects/${object.name}`,
      schema: '/v2/schemas/metadefs/object',
    });
    const full = { name: 'o', description: 'd', required: ['p'], properties: { p: SHOWN } };

    const created = await root.ask('POST', `${path}/objects`, { ...full, properties: { p: PROPERTY } });
    expect([created.status, created.body]).toEqual([201, shown(full)]);
    await root.ask('POST', `${path}/objects`, { name: 'second' });
    expect((await rita.ask('GET', `${path}/objects/o`)).body).toEqual(shown(full));
    expect((await rita.ask('GET', `${path}/objects`)).body).toEqual({
      objects: [shown(full), shown({ name: 'second' })],
      schema: '/v2/schemas/metadefs/objects',
    });

    const replaced = await root.ask('PUT', `${path}/objects/o`, { name: 'renamed', required: [] });
    expect([replaced.status, replaced.body]).toEqual([200, shown({ name: 'renamed', required: [] } as never)]);
    expect(of(await root.ask('GET', `${path}/objects/o`))).toEqual([404]);
    expect(of(await root.ask('POST', `${path}/objects`, { name: 'second' }))).toEqual([409]);
    expect(of(await root.ask('PUT', `${path}/objects/renamed`, { name: 'second' }))).toEqual([409]);
    expect(of(await root.ask('PUT', `${path}/objects/none`, { name: 'x' }))).toEqual([404]);

    expect(
      of(await root.ask('DELETE', `${path}/objects/second`), await root.ask('DELETE', `${path}/objects/second`)),
    ).toEqual([204, 404]);
    expect(of(await root.ask('DELETE', `${path}/objects`))).toEqual([204]);
    expect((await root.ask('GET', `${path}/objects`)).body.objects).toEqual([]);
  });

  it.each([
    ['{}', 400],
    ['[]', 400],
    ['{"name": "o", "required": ["a", "a"]}', 400],
    ['{"name": "o", "required": "a"}', 400],
    ['{"name": "o", "properties": {"p": {"type": "string"}}}', 400],
    ['{"name": "o", "properties": {"p": {"title": "t"}}}', 400],
    ['{"name": "o", "more": 1}', 400],
    [`{"name": "${'x'.repeat(81)}"}`, 400],
    ['{"name": "o", "self": "x"}', 403],
    ['{"name": "o", "schema": "x"}', 403],
  ])('is not made of %s', async (body, status) => {
    const { path } = await aNamespace({ objects: [{ name: 'there' }] });

    expect(
      of(await root.ask('POST', `${path}/objects`, body), await root.ask('PUT', `${path}/objects/there`, body)),
    ).toEqual([status, status]);
  });

  it.each([
    ['limit=x', 400],
    ['limit=0', 400],
    ['sort_dir=up', 400],
    ['limit=1', 200],
  ])('is listed with %s', async (query, status) => {
    const { path } = await aNamespace();

    expect(of(await root.ask('GET', `${path}/objects?${query}`))).toEqual([status]);
  });
});

describe('a property', () => {
  it('is made, shown, replaced and deleted', async () => {
    const { path } = await aNamespace();

    const created = await root.ask('POST', `${path}/properties`, { name: 'p', ...PROPERTY });
    expect([created.status, created.body]).toEqual([201, { name: 'p', ...SHOWN }]);
    expect((await rita.ask('GET', `${path}/properties/p`)).body).toEqual({ name: 'p', ...SHOWN });
    expect((await rita.ask('GET', `${path}/properties`)).body).toEqual({ properties: { p: SHOWN } });
    const string = { type: 'string', title: 'T' };
    const replaced = await root.ask('PUT', `${path}/properties/p`, { name: 'q', ...string });
    expect([replaced.status, replaced.body]).toEqual([200, { name: 'q', ...string }]);
    expect(of(await root.ask('GET', `${path}/properties/p`))).toEqual([404]);
    expect(of(await root.ask('POST', `${path}/properties`, { name: 'q', ...string }))).toEqual([409]);
    await root.ask('POST', `${path}/properties`, { name: 'r', ...string });
    expect(of(await root.ask('PUT', `${path}/properties/q`, { name: 'r', ...string }))).toEqual([409]);

    expect(
      of(await root.ask('DELETE', `${path}/properties/q`), await root.ask('DELETE', `${path}/properties/q`)),
    ).toEqual([204, 404]);
    expect(of(await root.ask('DELETE', `${path}/properties`))).toEqual([204]);
    expect((await root.ask('GET', `${path}/properties`)).body).toEqual({ properties: {} });
  });

  it('is called by its prefix on resources of a type', async () => {
    const { path } = await aNamespace({
      properties: { p: PROPERTY },
      resource_type_associations: [{ name: 'R', prefix: 'r:' }, { name: 'Plain' }],
    });
    const show = (name: string, type: string) => rita.ask('GET', `${path}/properties/${name}?resource_type=${type}`);

    expect((await show('r:p', 'R')).body).toEqual({ name: 'p', ...SHOWN });
    expect(
      of(await show('p', 'R'), await show('p', 'Plain'), await show('r:p', 'None'), await show('r:x', 'R')),
    ).toEqual([404, 404, 404, 404]);
  });

  it.each([
    [4, '4'],
    [1.5, '1.5'],
    [true, 'True'],
    [false, 'False'],
    ['text', 'text'],
    ['', ''],
    [['a', 1], '["a",1]'],
    [null, undefined],
  ])('has the default %j as text', async (given, shown) => {
    const { path } = await aNamespace();

    const { body } = await root.ask('POST', `${path}/properties`, { ...PROPERTY, name: 'p', default: given });

    expect(body.default).toBe(shown);
  });

  it('keeps everything that can be said of it', async () => {
    const { path } = await aNamespace();
    const said = {
      name: 'p',
      type: 'array',
      title: 'T',
      description: 'D',
      operators: ['<or>'],
      default: 'a',
      readonly: true,
      minimum: -1.5,
      maximum: 2,
      enum: ['a', 1, true],
      pattern: '^a',
      minLength: 0,
      maxLength: 5,
      items: { type: 'string', enum: ['a'] },
      uniqueItems: true,
      minItems: 1,
      maxItems: 2,
      additionalItems: false,
    };

    expect((await root.ask('POST', `${path}/properties`, said)).body).toEqual(said);
    expect((await rita.ask('GET', `${path}/properties/p`)).body).toEqual(said);
  });

  it.each([
    ['name', undefined, 400],
    ['type', undefined, 400],
    ['title', undefined, 400],
    ['type', 'text', 400],
    ['type', null, 400],
    ['title', 5, 400],
    ['operators', '<in>', 400],
    ['readonly', 'yes', 400],
    ['minimum', '1', 400],
    ['minLength', -1, 400],
    ['maxLength', 1.5, 400],
    ['enum', {}, 400],
    ['enum', [{}], 400],
    ['pattern', 5, 400],
    ['items', {}, 400],
    ['items', { type: 'string', more: 1 }, 400],
    ['uniqueItems', 1, 400],
    ['self', 'x', 400],
    ['more', 1, 400],
    ['created_at', 'x', 403],
  ])('is not made with %s %j', async (key, value, status) => {
    const { path } = await aNamespace({ properties: { there: PROPERTY } });
    const body = { name: 'p', ...PROPERTY, [key]: value };

    expect(
      of(await root.ask('POST', `${path}/properties`, body), await root.ask('PUT', `${path}/properties/there`, body)),
    ).toEqual([status, status]);
  });

  it('has a definition of 64 KiB at most', async () => {
    const { path } = await aNamespace();
    const long = 'x'.repeat(65 * 1024);
    const create = (more: object) => root.ask('POST', `${path}/properties`, { name: 'p', ...PROPERTY, ...more });

    expect(of(await create({ description: long }), await create({ default: [long] }))).toEqual([413, 413]);
  });

  it('has a default that is nested no deeper than can be written', async () => {
    const { path } = await aNamespace();
    const depth = 200_000;
    const body = `{"name": "p", "type": "array", "title": "t", "default": ${'['.repeat(depth)}${']'.repeat(depth)}}`;

    expect(of(await root.ask('POST', `${path}/properties`, body))).toEqual([413]);
  });

  it('may have a name that JavaScript has plans for', async () => {
    const { path } = await aNamespace();
    await root.ask('POST', `${path}/properties`, { ...PROPERTY, name: '__proto__' });

    expect((await root.ask('GET', `${path}/properties`)).text).toContain('"__proto__":{"type":"integer"');
  });
});

describe('tags', () => {
  const tags = async (path: string, query = '') =>
    (await rita.ask('GET', `${path}/tags?${query}`)).body.tags.map(({ name }: { name: string }) => name);

  it('are made one by one', async () => {
    const { path } = await aNamespace();

    const created = await root.ask('POST', `${path}/tags/one`);
    expect([created.status, created.body]).toEqual([201, { name: 'one', ...TIMES }]);
    expect(of(await root.ask('POST', `${path}/tags/one`), await root.ask('POST', `${path}/tags/x`, { a: 1 }))).toEqual([
      409, 400,
    ]);
    expect((await rita.ask('GET', `${path}/tags/one`)).body).toEqual({ name: 'one', ...TIMES });
    const renamed = await root.ask('PUT', `${path}/tags/one`, { name: 'two' });
    expect([renamed.status, renamed.body]).toEqual([200, { name: 'two', ...TIMES }]);
    await root.ask('POST', `${path}/tags/three`);
    expect(
      of(
        await root.ask('PUT', `${path}/tags/three`, { name: 'two' }),
        await root.ask('PUT', `${path}/tags/none`, { name: 'x' }),
      ),
    ).toEqual([409, 404]);
    expect(of(await root.ask('GET', `${path}/tags/one`), await root.ask('DELETE', `${path}/tags/one`))).toEqual([
      404, 404,
    ]);
    expect(of(await root.ask('DELETE', `${path}/tags/two`), await root.ask('DELETE', `${path}/tags`))).toEqual([
      204, 204,
    ]);
    expect(await tags(path)).toEqual([]);
  });

  it('are replaced all at once, or added to', async () => {
    const { path } = await aNamespace({ tags: [{ name: 'old' }] });
    const set = (names: string[], headers = {}) =>
      root.ask('POST', `${path}/tags`, { tags: names.map((name) => ({ name })) }, headers);

    const replaced = await set(['a', 'b']);
    expect([replaced.status, replaced.body]).toEqual([201, { tags: [{ name: 'a' }, { name: 'b' }] }]);
    expect(await tags(path)).toEqual(['b', 'a']);
    const added = await set(['c'], { 'x-openstack-append': 'True' });
    expect([added.status, added.body]).toEqual([201, { tags: [{ name: 'c' }] }]);
    expect(await tags(path)).toEqual(['c', 'b', 'a']);
    expect(of(await set(['b'], { 'x-openstack-append': 'true' }), await set(['x', 'x']))).toEqual([409, 409]);
    expect(await tags(path)).toEqual(['c', 'b', 'a']);
    expect(of(await set([]))).toEqual([201]);
    expect(await tags(path)).toEqual(['c', 'b', 'a']);
    expect(of(await set(['z'], { 'x-openstack-append': 'no' }))).toEqual([201]);
    expect(await tags(path)).toEqual(['z']);
  });

  it('are listed in pages', async () => {
    const { path } = await aNamespace({ tags: ['b', 'a', 'd', 'c'].map((name) => ({ name })) });

    expect(await tags(path, 'sort_key=name&sort_dir=asc')).toEqual(['a', 'b', 'c', 'd']);
    expect(await tags(path, 'sort_key=name&limit=2')).toEqual(['d', 'c']);
    expect(await tags(path, 'sort_key=name&limit=2&marker=c')).toEqual(['b', 'a']);
    expect(await tags(path, 'marker=d')).toEqual(['a', 'b']);
    expect(await tags(path, 'limit=0')).toEqual([]);
    for (const [query, status] of [
      ['limit=x', 400],
      ['limit=-1', 400],
      ['sort_dir=up', 400],
      ['sort_key=up', 400],
      ['marker=none', 404],
    ] as const) {
      expect(of(await rita.ask('GET', `${path}/tags?${query}`))).toEqual([status]);
    }
  });

  it.each(['{}', '[]', '{', '{"tags": {}}', '{"tags": [{}]}', '{"tags": ["a"]}', '{"tags": [{"name": "a", "b": 1}]}'])(
    'are not set by %s',
    async (body) => {
      const { path } = await aNamespace({ tags: [{ name: 'old' }] });

      expect(of(await root.ask('POST', `${path}/tags`, body))).toEqual([400]);
      expect(await tags(path)).toEqual(['old']);
    },
  );

  it('are a thousand at most', async () => {
    const { path } = await aNamespace();
    const many = (count: number) => ({ tags: [...Array(count).keys()].map((index) => ({ name: `t${index}` })) });

    expect(
      of(await root.ask('POST', `${path}/tags`, many(1001)), await root.ask('POST', `${path}/tags`, many(1000))),
    ).toEqual([413, 201]);
    expect(of(await root.ask('POST', `${path}/tags/more`))).toEqual([413]);
    expect(await tags(path)).toHaveLength(1000);
  });
});

describe('resource types', () => {
  it('are associated with namespaces, and known from then on', async () => {
    const { path } = await aNamespace();
    const full = { name: 'OS::Test::One', prefix: 'one:', properties_target: 'image' };

    const created = await root.ask('POST', `${path}/resource_types`, full);
    expect([created.status, created.body]).toEqual([201, { ...full, ...TIMES }]);
    expect((await root.ask('POST', `${path}/resource_types`, { name: 'OS::Test::Two' })).body).toEqual({
      name: 'OS::Test::Two',
      ...TIMES,
    });
    expect((await rita.ask('GET', `${path}/resource_types`)).body).toEqual({
      resource_type_associations: [
        { ...full, ...TIMES },
        { name: 'OS::Test::Two', ...TIMES },
      ],
    });
    expect(of(await root.ask('POST', `${path}/resource_types`, full))).toEqual([409]);
    expect(of(await root.ask('DELETE', `${path}/resource_types/${full.name}`))).toEqual([204]);
    expect(of(await root.ask('DELETE', `${path}/resource_types/${full.name}`))).toEqual([404]);
    const { body } = await bob.ask('GET', '/v2/metadefs/resource_types');
    expect(body.resource_types).toContainEqual({ name: full.name, ...TIMES });
  });

  it.each([
    ['{}', 400],
    ['{"name": 5}', 400],
    [`{"name": "${'x'.repeat(81)}"}`, 400],
    ['{"name": "n", "prefix": null}', 400],
    ['{"name": "n", "more": 1}', 400],
    ['{"name": "n", "created_at": "x"}', 403],
  ])('are not associated by %s', async (body, status) => {
    const { path } = await aNamespace();

    expect(of(await root.ask('POST', `${path}/resource_types`, body))).toEqual([status]);
  });

  it('come up once when several namespaces bring the same one', async () => {
    const namespaces = await Promise.all([...Array(6).keys()].map(() => aNamespace()));

    const answers = await Promise.all(
      namespaces.map(({ path }) => root.ask('POST', `${path}/resource_types`, { name: 'OS::Raced' })),
    );

    expect(of(...answers)).toEqual([201, 201, 201, 201, 201, 201]);
  });
});

it.each([
  ['PATCH', at('Bare'), 'GET, PUT, DELETE'],
  ['HEAD', at('Bare'), 'GET, PUT, DELETE'],
  ['PUT', ROOT, 'GET, POST'],
  ['PUT', `${at('Bare')}/tags`, 'GET, POST, DELETE'],
  ['PUT', `${at('Bare')}/objects`, 'GET, POST, DELETE'],
  ['PATCH', `${at('Bare')}/properties`, 'GET, POST, DELETE'],
  ['POST', `${at('Bare')}/objects/o`, 'GET, PUT, DELETE'],
  ['POST', `${at('Bare')}/properties/o`, 'GET, PUT, DELETE'],
  ['PATCH', `${at('Bare')}/tags/o`, 'GET, POST, PUT, DELETE'],
  ['DELETE', `${at('Bare')}/resource_types`, 'GET, POST'],
  ['GET', `${at('Bare')}/resource_types/r`, 'DELETE'],
  ['POST', '/v2/metadefs/resource_types', 'GET'],
  ['POST', '/v2/schemas/metadefs/tags', 'GET'],
])('%s of %s is told what there is', async (method, path, allow) => {
  const answer = await root.ask(method, path);

  expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
});

it.each(['', '/tags', '/objects', '/properties', '/tags/t', '/objects/o', '/properties/p', '/resource_types/r'])(
  'a body is refused where none belongs: DELETE of a namespace%s',
  async (part) => {
    expect(of(await root.ask('DELETE', at('Nowhere') + part, { a: 1 }))).toEqual([400]);
  },
);

it('definitions in files are loaded at the start, and a file that cannot be is told by name', async () => {
  // The first file of that name, in the order of the alphabet, is `again.json`.
  const { status, body } = await root.ask('GET', at('From::File'));

  expect([status, body.description, body.owner, body.visibility]).toEqual([200, 'another', 'admin', 'private']);
  expect(of(await root.ask('GET', at('Bad')))).toEqual([404]);
  expect(kiln.output()).toContain('not-json.json');
  expect(kiln.output()).toContain('bad.json');
  expect(kiln.output()).toMatch(/properties\.p\.type: it must be one of/);
  expect(kiln.output()).not.toContain('sub.json');
});

it.each(['namespace', 'object', 'property', 'resource_type', 'tag'])('the schema of a %s is served', async (name) => {
  const { status, body } = await rita.ask('GET', `/v2/schemas/metadefs/${name}`);

  expect([status, body.additionalProperties]).toEqual([200, false]);
  expect(body.required).toEqual(expect.arrayContaining([name === 'namespace' ? 'namespace' : 'name']));
});

it.each([
  ['namespaces', 'namespaces'],
  ['objects', 'objects'],
  ['properties', 'properties'],
  ['resource_types', 'resource_type_associations'],
  ['tags', 'tags'],
])('the schema of %s is served', async (name, key) => {
  const { status, body } = await rita.ask('GET', `/v2/schemas/metadefs/${name}`);

  expect([status, body.name, Object.keys(body.properties)]).toEqual([200, key, [key, 'first', 'next', 'schema']]);
  expect(body.links.map(({ rel }: { rel: string }) => rel)).toEqual(['first', 'next', 'describedby']);
  if (name === 'properties')
    expect(body.properties.properties.additionalProperties.required).toEqual(['type', 'title']);
});
