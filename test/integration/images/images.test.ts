import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Image } from '../../../src/modules/images/index.js';
import { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { eventually } from '../../support/eventually.js';

const MEBIBYTE = 1024 * 1024;
const FORMATS = { diskFormat: 'raw', containerFormat: 'bare' };

let kiln: Catalogue;
let alice: Actor;
const root = Actor.system('test');

beforeAll(async () => {
  kiln = await catalogue();
  alice = await kiln.actor();
});
afterAll(() => kiln?.close());
afterEach(() => kiln.store.recover());

const bytes = (sizeBytes: number, fill = 7) => Buffer.alloc(sizeBytes, fill);
const body = (content: Buffer) => Readable.from([content], { objectMode: false });
const used = async (actor: Actor, quantity: 'images' | 'uploads') =>
  (await kiln.ledger.find(actor.projectId!, quantity))!.used;

async function anImage(actor: Actor, content?: Buffer): Promise<Image> {
  const image = await kiln.images.create(actor, FORMATS);
  return content ? kiln.imageData.upload(actor, image.id, body(content)) : image;
}

async function objects(): Promise<number> {
  let count = 0;
  for await (const _object of kiln.store.list('')) count += 1;
  return count;
}

async function eventsOf(imageId: string): Promise<string[]> {
  const rows = await kiln.database.query<{ kind: string }>('SELECT kind FROM events WHERE noun_id = $1 ORDER BY id', [
    imageId,
  ]);
  return rows.map(({ kind }) => kind);
}

/** A body of which some bytes come, and then what the test decides. */
function stalled(first: Buffer): Readable {
  const stream = new Readable({ read: () => undefined });
  stream.push(first);
  return stream;
}

describe('an upload', () => {
  it('leaves an active image, its bytes, their digests and their cost', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10 * MEBIBYTE });
    const content = bytes(2 * MEBIBYTE + 3);
    const image = await anImage(actor, content);

    expect(image).toMatchObject({
      status: 'active',
      sizeBytes: content.length,
      md5: createHash('md5').update(content).digest('hex'),
      hashAlgorithm: 'sha512',
      hashValue: createHash('sha512').update(content).digest('hex'),
      storeIds: [kiln.store.description.id],
      uploadFileId: null,
    });
    expect(await kiln.bytes(actor)).toEqual({ ledger: content.length, files: content.length });
    const { data } = await kiln.imageData.download(actor, image.id);
    expect((await buffer(await data!.open())).equals(content)).toBe(true);
    expect(await eventsOf(image.id)).toEqual(['image.created', 'image.upload_started', 'image.activated']);
  });

  it('of a hundred against room for ten succeeds ten times, and the ledger knows the bytes', async () => {
    const before = await objects();
    const actor = await kiln.actor('member', { storage_bytes: 10 * MEBIBYTE });
    const images = await Promise.all(Array.from({ length: 100 }, () => anImage(actor)));
    const results = await Promise.allSettled(
      images.map(({ id }, index) =>
        kiln.imageData.upload(actor, id, body(bytes(MEBIBYTE, index)), index % 2 === 0 ? { sizeBytes: MEBIBYTE } : {}),
      ),
    );

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ kind: 'quota_exceeded' });
    }
    expect(await kiln.bytes(actor)).toEqual({ ledger: 10 * MEBIBYTE, files: 10 * MEBIBYTE });
    expect(await objects()).toBe(before + 10);
    expect(await used(actor, 'uploads')).toBe(0);
    const statuses = await Promise.all(images.map(async ({ id }) => (await kiln.images.get(actor, id)).status));
    expect(statuses.filter((status) => status === 'active')).toHaveLength(10);
    expect(statuses.filter((status) => status === 'queued')).toHaveLength(90);
  });

  it('of many at once to one image succeeds once', async () => {
    const before = await objects();
    const { id } = await anImage(alice);
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => kiln.imageData.upload(alice, id, body(bytes(1000, index)))),
    );

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ kind: 'conflict' });
    }
    expect(await objects()).toBe(before + 1);
  });

  it('is undone when the sender hangs up, and can be tried again', async () => {
    const actor = await kiln.actor();
    const before = await objects();
    const { id } = await anImage(actor);
    const sender = stalled(bytes(100_000));
    const upload = kiln.imageData.upload(actor, id, sender);
    await eventually(async () => (await kiln.images.get(actor, id)).status === 'saving');
    expect(await used(actor, 'uploads')).toBe(1);

    sender.destroy(new Error('aborted'));

    await expect(upload).rejects.toMatchObject({ kind: 'invalid' });
    expect(await kiln.images.get(actor, id)).toMatchObject({ status: 'queued', sizeBytes: null, uploadFileId: null });
    expect(await used(actor, 'uploads')).toBe(0);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    expect(await objects()).toBe(before);
    await expect(kiln.imageData.upload(actor, id, body(bytes(5)))).resolves.toMatchObject({ status: 'active' });
  });

  it('is undone when the store fails', async () => {
    const actor = await kiln.actor();
    const { id } = await anImage(actor);
    kiln.store.failAfter(1000);

    await expect(kiln.imageData.upload(actor, id, body(bytes(MEBIBYTE)))).rejects.toMatchObject({
      kind: 'unavailable',
    });

    expect(await kiln.images.get(actor, id)).toMatchObject({ status: 'queued', sizeBytes: null });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
  });

  it('learns that the image was deleted meanwhile, and leaves no bytes', async () => {
    const actor = await kiln.actor();
    const before = await objects();
    const { id } = await anImage(actor);
    const sender = stalled(bytes(100_000));
    const upload = kiln.imageData.upload(actor, id, sender);
    await eventually(async () => (await kiln.images.get(actor, id)).status === 'saving');

    await kiln.images.delete(actor, id);
    sender.push(null);

    await expect(upload).rejects.toMatchObject({ kind: 'gone' });
    expect(await objects()).toBe(before);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    expect([await used(actor, 'uploads'), await used(actor, 'images')]).toEqual([0, 0]);
  });

  it('whose process died is given up by the sweep, once its lease is over', async () => {
    const actor = await kiln.actor();
    const { id } = await anImage(actor);
    const fileId = randomUUID();
    await kiln.database.run(
      `INSERT INTO stored_files (id, project_id, store_id, object_key, state, lease_expires_at)
       VALUES ($1::uuid, $2, $3, $1::uuid::text, 'writing', now() + interval '1 minute')`,
      [fileId, actor.projectId, kiln.store.description.id],
    );
    await kiln.database.run(`UPDATE images SET status = 'saving', upload_file_id = $2 WHERE id = $1`, [id, fileId]);
    await kiln.ledger.reserve(actor.projectId, 'uploads', 1);
    await kiln.imageData.sweep();
    expect((await kiln.images.get(actor, id)).status).toBe('saving');

    await kiln.database.run(`UPDATE stored_files SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [
      fileId,
    ]);
    await kiln.imageData.sweep();

    expect(await kiln.images.get(actor, id)).toMatchObject({ status: 'queued', uploadFileId: null });
    expect(await used(actor, 'uploads')).toBe(0);
  });

  it('has a limit on those under way', async () => {
    const actor = await kiln.actor('member', { uploads: 1 });
    const [first, second] = [await anImage(actor), await anImage(actor)];
    const sender = stalled(bytes(1000));
    const upload = kiln.imageData.upload(actor, first.id, sender);
    await eventually(async () => (await used(actor, 'uploads')) === 1);

    await expect(kiln.imageData.upload(actor, second.id, body(bytes(1)))).rejects.toMatchObject({
      kind: 'quota_exceeded',
    });
    sender.push(null);
    await upload;
    await expect(kiln.imageData.upload(actor, second.id, body(bytes(1)))).resolves.toMatchObject({ status: 'active' });
  });
});

describe('a delete', () => {
  it('takes the image out of sight and of the usage, and keeps all of it', async () => {
    const actor = await kiln.actor('member', { images: 1, storage_bytes: MEBIBYTE });
    const before = await objects();
    const image = await anImage(actor, bytes(MEBIBYTE));
    await kiln.images.addTag(actor, image.id, 'kept');
    await kiln.imageMembers.add(actor, image.id, 'somebody');
    await kiln.images.delete(actor, image.id);

    await expect(kiln.images.get(actor, image.id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    expect(await used(actor, 'images')).toBe(0);
    expect(await objects()).toBe(before + 1);
    const deleted = await kiln.images.list(actor, {
      scope: { kind: 'deleted', projectId: actor.projectId },
      filter: {},
      sort: [],
      limit: 10,
    });
    expect(deleted.images).toMatchObject([{ id: image.id, status: 'active', tags: ['kept'], sizeBytes: MEBIBYTE }]);
    expect((await anImage(actor)).status).toBe('queued');
  });

  it('purges the oldest when deleted bytes exceed the limit of the project', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 2 * MEBIBYTE });
    const before = await objects();
    const ids: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      const { id } = await anImage(actor, bytes(MEBIBYTE, index));
      await kiln.images.delete(actor, id);
      ids.push(id);
    }

    const kept = await kiln.database.query<{ id: string }>('SELECT id FROM images WHERE id = ANY ($1)', [ids]);
    expect(kept.map(({ id }) => id).sort()).toEqual(ids.slice(2).sort());
    expect(await objects()).toBe(before + 2);
  });

  it('ends in a tombstone: the id is taken for ever', async () => {
    const actor = await kiln.actor();
    const before = await objects();
    const { id } = await anImage(actor, bytes(1000));
    await kiln.images.delete(actor, id);
    await expect(kiln.images.create(actor, { id })).rejects.toMatchObject({ kind: 'conflict' });

    await kiln.imageRemoval.purge(root, id);

    expect(await objects()).toBe(before);
    await expect(kiln.images.create(actor, { id })).rejects.toMatchObject({ kind: 'conflict' });
    await expect(kiln.images.get(actor, id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(await used(actor, 'images')).toBe(0);
    expect((await eventsOf(id)).slice(-2)).toEqual(['image.deleted', 'image.purged']);
  });

  it('is made final by the sweep when the retention ends', async () => {
    const actor = await kiln.actor();
    const [old, fresh] = [await anImage(actor, bytes(10)), await anImage(actor, bytes(10))];
    for (const { id } of [old, fresh]) await kiln.images.delete(actor, id);
    await kiln.database.run(`UPDATE images SET deleted_at = now() - interval '31 days' WHERE id = $1`, [old.id]);

    await kiln.imageRemoval.sweep();

    const left = await kiln.database.query('SELECT id FROM images WHERE id = ANY ($1)', [[old.id, fresh.id]]);
    expect(left).toEqual([{ id: fresh.id }]);
  });

  it('of many at once happens once', async () => {
    const actor = await kiln.actor();
    const { id } = await anImage(actor, bytes(1000));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => kiln.images.delete(actor, id)));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await used(actor, 'images')).toBe(0);
  });
});

describe('a change', () => {
  it('loses nothing of what others change at once', async () => {
    const { id, version } = await anImage(alice);
    await Promise.all(Array.from({ length: 20 }, (_, index) => kiln.images.addTag(alice, id, `t${index}`)));

    const image = await kiln.images.get(alice, id);
    expect(image.tags).toHaveLength(20);
    expect(image.version).toBe(version + 20);
  });

  it('of the owner moves the usage, and needs room there', async () => {
    const [from, to, tight] = [
      await kiln.actor(),
      await kiln.actor(),
      await kiln.actor('member', { storage_bytes: 99 }),
    ];
    const { id } = await anImage(from, bytes(100));
    await expect(kiln.images.update(root, id, { projectId: tight.projectId })).rejects.toMatchObject({
      kind: 'quota_exceeded',
    });
    await kiln.images.update(root, id, { projectId: to.projectId });

    const usage = async (actor: Actor) => [(await kiln.bytes(actor)).ledger, await used(actor, 'images')];
    expect([await usage(from), await usage(to), await usage(tight)]).toEqual([
      [0, 0],
      [100, 1],
      [0, 0],
    ]);
    await kiln.images.update(root, id, { projectId: null });
    expect(await usage(to)).toEqual([0, 0]);
  });

  it('keeps the properties that only Kiln writes', async () => {
    const { id } = await anImage(alice);
    await kiln.database.run(`UPDATE images SET properties = '{"kiln_job_id": "j", "a": "1"}' WHERE id = $1`, [id]);

    for (const change of [{ setProperties: { kiln_job_id: 'x' } }, { removeProperties: ['kiln_job_id'] }]) {
      await expect(kiln.images.update(alice, id, change)).rejects.toMatchObject({ kind: 'forbidden' });
    }
    const image = await kiln.images.update(alice, id, { setProperties: { b: '2' }, removeProperties: ['a'] });
    expect(image.properties).toEqual({ kiln_job_id: 'j', b: '2' });
  });

  it('mirrors the architecture', async () => {
    const { id } = await anImage(alice);

    const image = await kiln.images.update(alice, id, { setProperties: { architecture: 'aarch64' } });

    expect(image.architecture).toBe('aarch64');
  });
});

describe('a create', () => {
  it('of a hundred against room for ten succeeds ten times', async () => {
    const actor = await kiln.actor('member', { images: 10 });
    const results = await Promise.allSettled(Array.from({ length: 100 }, () => kiln.images.create(actor, {})));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const [row] = await kiln.database.query<{ count: number }>('SELECT count(*) FROM images WHERE project_id = $1', [
      actor.projectId,
    ]);
    expect([row!.count, await used(actor, 'images')]).toEqual([10, 10]);
  });

  it('of one id at once happens once', async () => {
    const id = randomUUID();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => kiln.images.create(alice, { id })));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('without retention', () => {
  it('a delete is final at once', async () => {
    const final = await catalogue({ KILN_DELETED_RETENTION: '0' });
    try {
      const actor = await final.actor();
      const { id } = await final.images.create(actor, FORMATS);
      await final.imageData.upload(actor, id, body(bytes(1000)));
      await final.images.delete(actor, id);

      expect(await final.database.query('SELECT 1 FROM images')).toEqual([]);
      expect(await final.database.query('SELECT 1 FROM stored_files')).toEqual([]);
      await expect(final.images.create(actor, { id })).rejects.toMatchObject({ kind: 'conflict' });
    } finally {
      await final.close();
    }
  });
});

describe('the AMI id', () => {
  const id = 'a1b2c3d4-0000-4000-8000-00000000000';

  it('follows from the id, unless another image has that one', async () => {
    const [first, second] = [
      await kiln.images.create(alice, { ...FORMATS, id: `${id}1` }),
      await kiln.images.create(alice, { ...FORMATS, id: `${id}2` }),
    ];

    expect(first.amiId).toBe('ami-a1b2c3d4000040008');
    expect(second.amiId).toMatch(/^ami-[0-9a-f]{17}$/);
    expect(second.amiId).not.toBe(first.amiId);
    for (const { id: of, amiId } of [first, second]) {
      expect((await kiln.images.getByAmiId(alice, amiId)).id).toBe(of);
    }
  });

  it('is had by one of many that would have it at once', async () => {
    const images = await Promise.all(
      [3, 4, 5, 6, 7].map((n) => kiln.images.create(alice, { ...FORMATS, id: `b1${id.slice(2)}${n}` })),
    );

    expect(new Set(images.map(({ amiId }) => amiId)).size).toBe(images.length);
    expect(images.filter(({ amiId }) => amiId === 'ami-b1b2c3d4000040008')).toHaveLength(1);
  });
});
