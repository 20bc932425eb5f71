// The exchanges are those of the Image API v2 reference ("Tasks") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { ask, Client, clients } from './wire.js';

const RAW = { disk_format: 'raw', container_format: 'bare' };

let web: WebServer;
let kiln: RunningKiln;
let database: pg.Client;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  web = await webServer();
  kiln = await startKiln({ env: { KILN_EGRESS_ALLOW: web.host } });
  database = new pg.Client({ connectionString: kiln.databaseUrl });
  await database.connect();
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(async () => {
  await database?.end();
  await kiln?.stop();
  await web?.close();
});

async function ended(id: string): Promise<any> {
  return eventually(async () => {
    const { body } = await root.ask('GET', `/v2/tasks/${id}`);
    return ['success', 'failure'].includes(body.status) ? body : false;
  }, 60_000);
}

/** An image that was imported, and its task. */
async function anImport(uri = web.bytes('/data', randomBytes(1000))): Promise<{ image: any; task: any }> {
  const image = await alice.create(RAW);
  const accepted = await alice.ask('POST', `/v2/images/${image.id}/import`, { method: { name: 'web-download', uri } });
  expect(accepted.status).toBe(202);
  const { body } = await alice.ask('GET', `/v2/images/${image.id}/tasks`);
  return { image, task: await ended(body.tasks[0].id) };
}

const ids = (answer: { body: any }): string[] => answer.body.tasks.map((task: { id: string }) => task.id);

describe('tasks', () => {
  it('are shown as a whole, and as stubs in lists', async () => {
    const { image, task } = await anImport();

    const list = await root.ask('GET', '/v2/tasks?limit=1');

    expect(task).toEqual({
      id: expect.any(String),
      type: 'api_image_import',
      status: 'success',
      owner: ALPHA,
      input: expect.objectContaining({ image_id: image.id, backend: ['default'] }),
      result: { image_id: image.id },
      message: 'Copied 0 MiB',
      image_id: image.id,
      request_id: expect.stringMatching(/^req-/),
      user_id: expect.any(String),
      expires_at: expect.stringMatching(/Z$/),
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      self: `/v2/tasks/${task.id}`,
      schema: '/v2/schemas/task',
    });
    expect(Date.parse(task.expires_at) - Date.parse(task.updated_at)).toBe(48 * 3_600_000);
    const { input, result, message, image_id, request_id, user_id, ...stub } = task;
    expect([input, result, message, image_id, request_id, user_id]).not.toContain(undefined);
    expect(list.body).toEqual({
      tasks: [stub],
      first: '/v2/tasks?limit=1',
      next: `/v2/tasks?limit=1&marker=${task.id}`,
      schema: '/v2/schemas/tasks',
    });
  });

  it('are listed in pages, in any order, by status', async () => {
    const good = [await anImport(), await anImport()].map(({ task }) => task.id);
    const bad = (await anImport(`http://${web.host}/missing`)).task.id;
    const asked = async (query: string) => ids(await root.ask('GET', `/v2/tasks?${query}`));

    expect(await asked('')).toEqual(expect.arrayContaining([bad, ...good]));
    expect((await asked('')).slice(0, 3)).toEqual([bad, good[1], good[0]]);
    expect((await asked('sort_dir=asc')).slice(-3)).toEqual([good[0], good[1], bad]);
    expect(await asked('status=failure')).toEqual([bad]);
    expect(await asked('status=pending')).toEqual([]);
    expect(await asked('type=import')).toEqual([]);
    expect(await asked(`limit=1&marker=${bad}`)).toEqual([good[1]]);
    for (const key of ['id', 'type', 'status', 'owner', 'created_at', 'updated_at', 'expires_at']) {
      const all = await asked(`sort_key=${key}&sort_dir=asc`);
      const walked: string[] = [];
      for (let marker = ''; ; marker = `&marker=${walked.at(-1)!}`) {
        const page = await asked(`sort_key=${key}&sort_dir=asc&limit=2${marker}`);
        walked.push(...page);
        if (page.length < 2) break;
      }
      expect(walked).toEqual(all);
    }
  });

  it.each([
    'limit=-1',
    'limit=x',
    'marker=x',
    `marker=${randomUUID()}`,
    'sort_dir=up',
    'sort_key=input',
    'status=done',
    'type=api_image_import',
  ])('refuse %s', async (query) => {
    expect((await root.ask('GET', `/v2/tasks?${query}`)).status).toBe(400);
  });

  it('are for administrators', async () => {
    const { task } = await anImport();

    expect((await ask(kiln, 'GET', '/v2/tasks')).status).toBe(401);
    for (const client of [alice, bob, rita]) {
      expect((await client.ask('GET', '/v2/tasks?limit=x')).status).toBe(403);
      expect((await client.ask('GET', `/v2/tasks/${task.id}`)).status).toBe(403);
      expect((await client.ask('POST', '/v2/tasks', '{')).status).toBe(403);
    }
    expect((await root.ask('GET', `/v2/tasks/${randomUUID()}`)).status).toBe(404);
    expect((await root.ask('GET', '/v2/tasks/no-id')).status).toBe(404);
  });

  it('cannot be deleted', async () => {
    const { task } = await anImport();

    const answer = await root.ask('DELETE', `/v2/tasks/${task.id}`);

    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
    const patched = await root.ask('PATCH', `/v2/tasks/${task.id}`);
    expect([patched.status, patched.headers.get('allow')]).toEqual([405, 'GET, DELETE']);
  });

  it('vanish 48 hours after they have ended', async () => {
    const { image, task } = await anImport();

    await database.query(`UPDATE jobs SET finished_at = now() - interval '48 hours' WHERE id = $1`, [task.id]);

    expect((await root.ask('GET', `/v2/tasks/${task.id}`)).status).toBe(404);
    expect(ids(await root.ask('GET', '/v2/tasks'))).not.toContain(task.id);
    expect((await alice.ask('GET', `/v2/images/${image.id}/tasks`)).body).toEqual({ tasks: [] });
  });

  it('are none of the jobs of another face, nor are theirs tasks', async () => {
    const { task } = await anImport();

    const reply = await fetch(`${kiln.url}/apis/ims/v3/jobs`, { headers: { 'x-auth-token': root.token } });
    const one = await fetch(`${kiln.url}/apis/ims/v3/jobs/${task.id}`, { headers: { 'x-auth-token': root.token } });

    expect(await reply.json()).toEqual([]);
    expect(one.status).toBe(404);
  });
});

describe('the tasks of an image', () => {
  it('are for whoever sees it, and tell only its project where the data is from', async () => {
    const { image, task } = await anImport();
    await root.patch(image.id, [{ op: 'replace', path: '/visibility', value: 'public' }]);

    const [mine, theirs] = await Promise.all(
      [alice, bob].map((each) => each.ask('GET', `/v2/images/${image.id}/tasks`)),
    );

    expect(mine!.body).toEqual({ tasks: [task] });
    expect(theirs!.body).toEqual({ tasks: [{ ...task, input: null }] });
  });

  it('are none for an image that was never imported, and not there for one that is not seen', async () => {
    const image = await alice.create({ visibility: 'private' });

    expect((await rita.ask('GET', `/v2/images/${image.id}/tasks`)).body).toEqual({ tasks: [] });
    expect((await bob.ask('GET', `/v2/images/${image.id}/tasks`)).status).toBe(404);
    expect((await alice.ask('GET', `/v2/images/${randomUUID()}/tasks`)).status).toBe(404);
    expect((await ask(kiln, 'GET', `/v2/images/${image.id}/tasks`)).status).toBe(401);
  });
});

describe('a task that makes an image', () => {
  const input = (uri: unknown) => ({
    import_from: uri,
    import_from_format: 'raw',
    image_properties: { name: 'by task', container_format: 'bare', colour: 'blue' },
  });

  it('imports it from an address', async () => {
    const data = randomBytes(500);
    const told = input(web.bytes('/by-task', data));

    const created = await root.ask('POST', '/v2/tasks', { type: 'import', input: told });

    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(`${kiln.url}/image/v2/tasks/${created.body.id}`);
    expect(created.body).toMatchObject({ type: 'import', status: 'pending', input: told, result: null });
    const task = await ended(created.body.id);
    expect(task).toMatchObject({ status: 'success', result: { image_id: expect.any(String) } });
    expect((await root.show(task.result.image_id)).body).toMatchObject({
      name: 'by task',
      status: 'active',
      size: 500,
      disk_format: 'raw',
      colour: 'blue',
    });
    expect(ids(await root.ask('GET', '/v2/tasks?type=import'))).toEqual([task.id]);
  });

  it.each([
    ['no type', { input: input('http://example.org/x') }],
    ['no input', { type: 'import' }],
    ['another type', { type: 'export', input: input('http://example.org/x') }],
    ['another key', { type: 'import', input: input('http://example.org/x'), owner: 'me' }],
    ['no source', { type: 'import', input: { import_from_format: 'raw', image_properties: {} } }],
    ['a file as its source', { type: 'import', input: input('file:///etc/passwd') }],
    ['a private source', { type: 'import', input: input('http://192.168.0.1/x') }],
    ['a source that is a number', { type: 'import', input: input(7) }],
    [
      'properties that are none',
      { type: 'import', input: { ...input('http://example.org/x'), image_properties: { min_ram: -1 } } },
    ],
    ['a text that cannot be kept', { type: 'import', input: { ...input('http://example.org/x'), more: 'a\0b' } }],
    [
      'a nest without an end',
      JSON.stringify({ type: 'import', input: { ...input('http://example.org/x'), more: 'NEST' } }).replace(
        '"NEST"',
        `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      ),
    ],
    ['a list', []],
  ])('is refused with %s, and leaves no image', async (_what, body) => {
    const before = await root.names('limit=1000');

    const answer = await root.ask('POST', '/v2/tasks', body);

    expect(answer.status).toBe(400);
    expect(await root.names('limit=1000')).toEqual(before);
  });
});

it('has schemas', async () => {
  const [task, tasks] = await Promise.all(['task', 'tasks'].map((name) => alice.ask('GET', `/v2/schemas/${name}`)));

  expect(task!.body).toMatchObject({ name: 'task', additionalProperties: false });
  expect(task!.body.properties.status.enum).toEqual(['pending', 'processing', 'success', 'failure']);
  const { input, result, message, ...ofList } = task!.body.properties;
  expect([input, result, message]).not.toContain(undefined);
  expect(tasks!.body.properties.tasks.items).toEqual({ ...task!.body, properties: ofList });
});
