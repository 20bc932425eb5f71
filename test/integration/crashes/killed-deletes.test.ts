import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { ImsClient } from '../../contract/ims/wire.js';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { storedObjects } from '../../support/stored-objects.js';

const KINDS = ['images', 'recipes', 'public-keys'] as const;
type Kind = (typeof KINDS)[number];
const UNDELETE = { operation: 'undelete' };
const PATIENCE_MS = 60_000;

/** A record as it was made, and the bytes behind its addresses. */
interface Made {
  readonly kind: Kind;
  readonly record: { readonly id: string };
  readonly contents: ReadonlyMap<string, string>;
}

let database: pg.Client;
let running: RunningKiln;
let ims: ImsClient;
let alice: string;
const started: RunningKiln[] = [];
const made: Made[] = [];

beforeAll(async () => {
  await start();
  database = new pg.Client({ connectionString: running.databaseUrl });
  await database.connect();
}, 600_000);
afterAll(async () => {
  await database?.end();
  // Last the one whose database and folder the others share.
  for (const kiln of started.reverse()) await kiln.stop();
});

async function start(): Promise<void> {
  running = await startKiln(started[0] ? { beside: started[0] } : {});
  started.push(running);
  ims = new ImsClient(running);
  alice ??= await running.token('alice');
}

async function create(kind: Kind, body: object, contents: readonly (readonly [string, string])[]): Promise<Made> {
  const answer = await ims.post(`/v3/${kind}`, body, alice);
  expect([answer.status, answer.body]).toEqual([201, expect.any(Object)]);
  return { kind, record: answer.body, contents: new Map(contents) };
}

async function put(bucket: string, key: string, content: string): Promise<readonly [string, string]> {
  return [await ims.upload(bucket, key, content, alice), content];
}

async function anImage(number: number): Promise<Made> {
  const rootfs = await put('boot-images', `${number}/rootfs`, `hsqs ${number}`);
  const kernel = await put('boot-images', `${number}/kernel`, `kernel ${number}`);
  const artifacts = [
    { type: 'application/vnd.cray.image.rootfs.squashfs', link: { path: rootfs[0], type: 's3' } },
    { type: 'application/vnd.cray.image.kernel', link: { path: kernel[0], type: 's3' } },
  ];
  const manifest = await put('boot-images', `${number}/manifest.json`, JSON.stringify({ version: '1.0', artifacts }));
  const body = { name: `image ${number}`, metadata: { number: `${number}` }, link: { path: manifest[0], type: 's3' } };
  return create('images', body, [rootfs, kernel, manifest]);
}

async function aRecipe(number: number): Promise<Made> {
  const archive = await put('ims', `${number}.tar.gz`, `archive ${number}`);
  const fields = {
    recipe_type: 'kiwi-ng',
    linux_distribution: 'sles15',
    template_dictionary: [{ key: 'k', value: 'v' }],
  };
  return create('recipes', { name: `recipe ${number}`, ...fields, link: { path: archive[0], type: 's3' } }, [archive]);
}

const aKey = (number: number): Promise<Made> =>
  create('public-keys', { name: `key ${number}`, public_key: `ssh-ed25519 ${number}\n` }, []);

/** Does something to every record that is there at once, and kills the process when that many have been answered. */
async function killAmid(answers: number, act: (one: Made) => Promise<unknown>): Promise<void> {
  const places = await Promise.all(made.map(whereIs));
  const there = made.filter((_, index) => places[index] !== 'gone');
  let answered = 0;
  let kill: () => void;
  const enough = new Promise<void>((resolve) => (kill = resolve));
  const all = there.map(async (one) => {
    await act(one);
    if ((answered += 1) === answers) kill();
  });
  const settled = Promise.allSettled(all);
  await enough;
  await running.kill();
  await settled;
  await start();
}

async function whereIs({ kind, record }: Made): Promise<string> {
  const live = (await ims.get(`/v3/${kind}/${record.id}`, alice)).status === 200;
  const deleted = (await ims.get(`/v3/deleted/${kind}/${record.id}`, alice)).status === 200;
  expect([live, deleted]).not.toEqual([true, true]);
  return live ? 'live' : deleted ? 'deleted' : 'gone';
}

async function textAt(path: string): Promise<string | null> {
  const reply = await fetch(`${running.url}/artifacts/${path.slice('s3://'.length)}`, {
    headers: { 'x-auth-token': alice },
  });
  const text = await reply.text();
  return reply.status === 200 ? text : null;
}

const deletedPlace = (path: string) => path.replace(/^(s3:\/\/[^/]+\/)/, '$1deleted/');

/** Wherever a record is, it is there as a whole: with all of its bytes in their places. Returns how many are where. */
async function expectWhole(): Promise<Record<string, number>> {
  const counts: Record<string, number> = { live: 0, deleted: 0, gone: 0 };
  for (const where of await Promise.all(made.map(expectOneWhole))) counts[where]! += 1;
  await expectCounted(counts);
  return counts;
}

async function expectOneWhole(one: Made): Promise<string> {
  const where = await whereIs(one);
  for (const [path, content] of one.contents) {
    expect([path, await textAt(path)]).toEqual([path, where === 'live' ? content : null]);
    const moved = deletedPlace(path);
    expect([moved, await textAt(moved)]).toEqual([moved, where === 'deleted' ? content : null]);
  }
  if (where === 'live') {
    const { body } = await ims.get(`/v3/${one.kind}/${one.record.id}`, alice);
    expect(withoutEtag(body)).toEqual(withoutEtag(one.record));
  }
  if (where === 'deleted' && one.kind === 'images') await expectDeletedManifest(one);
  return where;
}

/** A restore fills in the etag that these links had not. */
function withoutEtag(record: { readonly id: string; readonly link?: { readonly path: string } | null }) {
  return { ...record, link: record.link?.path };
}

/** Whoever died before he wrote it has left that to others. */
async function expectDeletedManifest({ record, contents }: Made): Promise<void> {
  const { link } = (await ims.get(`/v3/deleted/images/${record.id}`, alice)).body as { link: { path: string } };
  await eventually(async () => {
    const manifest = JSON.parse((await textAt(link.path)) ?? '{}') as { artifacts?: { link: { path: string } }[] };
    expect(manifest.artifacts?.map((entry) => entry.link.path).sort()).toEqual(
      [...contents.keys()].map(deletedPlace).sort(),
    );
  }, PATIENCE_MS);
}

/** The ledger has what lives, and nothing else. */
async function expectCounted({ live }: Record<string, number>): Promise<void> {
  const { rows } = await database.query<{ used: string }>(
    `SELECT sum(used) AS used FROM project_usage WHERE project_id = $1 AND quantity IN ('images', 'recipes', 'keys')`,
    [ALPHA],
  );
  expect(Number(rows[0]!.used)).toBe(live);
  const bytes = await database.query<{ ledger: string; charged: string }>(
    `SELECT (SELECT used FROM project_usage WHERE project_id = $1 AND quantity = 'storage_bytes') AS ledger,
       (SELECT coalesce(sum(charged_bytes), 0) FROM stored_files WHERE project_id = $1) AS charged`,
    [ALPHA],
  );
  expect(Number(bytes.rows[0]!.ledger)).toBe(Number(bytes.rows[0]!.charged));
}

/** What is stored is what the rows say, whoever died while he removed it. */
async function expectNothingLeftOver(): Promise<void> {
  await eventually(async () => {
    const { rows } = await database.query<{ object_key: string }>('SELECT object_key FROM stored_files');
    expect(await storedObjects(running)).toEqual(rows.map((row) => row.object_key).sort());
  }, PATIENCE_MS);
}

it('leaves every record whole, wherever it dies, and can be done again', async () => {
  for (let number = 0; number < 6; number += 1)
    made.push(await anImage(number), await aRecipe(number), await aKey(number));

  await killAmid(7, ({ kind, record }) => ims.delete(`/v3/${kind}/${record.id}`, alice));
  expect((await expectWhole()).gone).toBe(0);
  for (const kind of KINDS) expect((await ims.delete(`/v3/${kind}`, alice)).status).toBe(204);
  expect(await expectWhole()).toEqual({ live: 0, deleted: made.length, gone: 0 });

  await killAmid(11, ({ kind, record }) => ims.patch(`/v3/deleted/${kind}/${record.id}`, UNDELETE, alice));
  expect((await expectWhole()).gone).toBe(0);
  for (const kind of KINDS) expect((await ims.patch(`/v3/deleted/${kind}`, UNDELETE, alice)).status).toBe(204);
  expect(await expectWhole()).toEqual({ live: made.length, deleted: 0, gone: 0 });

  await killAmid(5, ({ kind, record }) => ims.delete(`/v2/${kind}/${record.id}?cascade=true`, alice));
  const { live, deleted } = await expectWhole();
  expect([live! < made.length, deleted]).toEqual([true, 0]);
  for (const kind of KINDS) expect((await ims.delete(`/v3/${kind}`, alice)).status).toBe(204);

  const left = await expectWhole();
  await killAmid(3, ({ kind, record }) => ims.delete(`/v3/deleted/${kind}/${record.id}`, alice));
  expect((await expectWhole()).gone).toBeGreaterThan(left.gone!);
  for (const kind of KINDS) expect((await ims.delete(`/v3/deleted/${kind}`, alice)).status).toBe(204);
  expect(await expectWhole()).toEqual({ live: 0, deleted: 0, gone: made.length });
  // A manifest that was stored and had no address yet when its writer died is kept for an hour.
  await database.query(
    `UPDATE stored_files SET references_changed_at = now() - interval '2 hours' WHERE reference_count = 0`,
  );
  await eventually(async () => {
    const { rows } = await database.query('SELECT state, object_key FROM stored_files');
    expect(rows).toEqual([]);
  }, PATIENCE_MS);
  await expectNothingLeftOver();
}, 600_000);
