import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';

const MEBIBYTE = 1024 * 1024;

let kiln: Catalogue;
let alice: Actor;

beforeAll(async () => {
  kiln = await catalogue();
  alice = await kiln.actor();
});
afterAll(() => kiln?.close());
afterEach(() => kiln.store.recover());

const bytes = (sizeBytes: number, fill = 7) => Buffer.alloc(sizeBytes, fill);
const streamOf = (content: Buffer, chunkBytes = 64 * 1024) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
    })(),
    { objectMode: false },
  );

async function objects(): Promise<string[]> {
  const keys = [];
  for await (const { key } of kiln.store.list('')) keys.push(key);
  return keys;
}

async function rows(state?: string): Promise<number> {
  const [row] = await kiln.database.query<{ count: number }>(
    'SELECT count(*) FROM stored_files WHERE $1::text IS NULL OR state = $1',
    [state ?? null],
  );
  return row!.count;
}

const put = (actor: Actor, key: string, content: Buffer, options: object = {}) =>
  kiln.artifacts.put(actor, { bucket: 'b', key }, streamOf(content), options);

describe('storing a file', () => {
  it('computes its digests and charges its exact size, known before or not', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10 * MEBIBYTE });
    const content = bytes(3 * MEBIBYTE + 5);
    for (const sizeBytes of [content.length, undefined]) {
      const file = await kiln.artifacts.storeFile(actor.projectId, streamOf(content), {
        charge: true,
        sizeBytes,
        sha256: true,
      });
      expect(file).toMatchObject({
        state: 'stored',
        sizeBytes: content.length,
        md5: createHash('md5').update(content).digest('hex'),
        sha512: createHash('sha512').update(content).digest('hex'),
        sha256: createHash('sha256').update(content).digest('hex'),
        referenceCount: 0,
      });
      expect(await kiln.bytes(actor)).toEqual({ ledger: content.length, files: content.length });
      expect((await buffer(await kiln.artifacts.open(file))).equals(content)).toBe(true);
      await kiln.artifacts.discard(file.id);
      expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    }
  });

  it.each([
    ['more bytes than announced', bytes(2000), { sizeBytes: 1000 }, 'artifacts.size_mismatch'],
    ['fewer bytes than announced', bytes(500), { sizeBytes: 1000 }, 'size_mismatch'],
    ['more bytes than any file may have', bytes(2000), { maxBytes: 1000 }, 'artifacts.file_too_large'],
    ['another md5', bytes(10), { expectedMd5: '0'.repeat(32) }, 'artifacts.checksum_mismatch'],
    ['more bytes than the project may have', bytes(MEBIBYTE), {}, 'tenancy.limit_exceeded'],
    ['an announced length over the limit', bytes(MEBIBYTE), { sizeBytes: MEBIBYTE }, 'tenancy.limit_exceeded'],
  ])('refuses %s and leaves nothing', async (_what, content, options, code) => {
    const actor = await kiln.actor('member', { storage_bytes: 300_000 });
    const before = { objects: await objects(), rows: await rows() };

    await expect(
      kiln.artifacts.storeFile(actor.projectId, streamOf(content), { charge: true, ...options }),
    ).rejects.toMatchObject({ code: expect.stringContaining(code) });

    expect({ objects: await objects(), rows: await rows() }).toEqual(before);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
  });

  it('leaves nothing when the store fails midway, or the body breaks off', async () => {
    const before = { objects: await objects(), rows: await rows() };
    kiln.store.failAfter(MEBIBYTE);
    await expect(put(alice, 'failing', bytes(4 * MEBIBYTE))).rejects.toMatchObject({ kind: 'unavailable' });
    kiln.store.recover();
    const broken = Readable.from(
      (async function* () {
        yield bytes(MEBIBYTE);
        throw new Error('the client hung up');
      })(),
      { objectMode: false },
    );
    await expect(kiln.artifacts.put(alice, { bucket: 'b', key: 'broken' }, broken, {})).rejects.toMatchObject({
      code: 'artifacts.write_interrupted',
    });
    expect({ objects: await objects(), rows: await rows() }).toEqual(before);
    expect((await kiln.bytes(alice)).ledger).toBe(0);
  });

  it('shows a probe every byte in order', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const seen: Buffer[] = [];
    const file = await kiln.artifacts.storeFile(alice.projectId, streamOf(content, 7_000), {
      charge: false,
      probe: {
        // Now at once and now later, as a probe may.
        write: (chunk) => (seen.push(chunk) % 2 === 0 ? Promise.resolve() : undefined),
      },
    });

    expect(Buffer.concat(seen).equals(content)).toBe(true);
    expect((await buffer(await kiln.artifacts.open(file))).equals(content)).toBe(true);
  });

  it.each([
    [
      'throws',
      (refusal: Error) => {
        throw refusal;
      },
    ],
    ['rejects', (refusal: Error) => Promise.reject(refusal)],
  ])('leaves nothing when its probe %s', async (_how, refuse) => {
    const actor = await kiln.actor();
    const before = { objects: await objects(), rows: await rows() };
    const refusal = new Error('not what was said');
    let seenBytes = 0;
    const write = (chunk: Buffer) => ((seenBytes += chunk.length) > 100_000 ? refuse(refusal) : undefined);

    await expect(
      kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(MEBIBYTE)), { charge: true, probe: { write } }),
    ).rejects.toBe(refusal);

    expect({ objects: await objects(), rows: await rows() }).toEqual(before);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    // The rest was not read, beyond what was on its way.
    expect(seenBytes).toBeLessThan(MEBIBYTE);
  });

  it.each([
    ['announced', true],
    ['unknown', false],
  ])('lets exactly ten of a hundred fit where ten fit, their lengths %s', async (_what, announced) => {
    const actor = await kiln.actor('member', { storage_bytes: 10 * 100_000 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        put(actor, `${index}`, bytes(100_000, index), announced ? { sizeBytes: 100_000 } : {}),
      ),
    );

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['tenancy.limit_exceeded']));
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1_000_000, files: 1_000_000 });
  });
});

describe('references', () => {
  it('remove the bytes with the last one', async () => {
    const actor = await kiln.actor();
    const { id } = await kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(1000)), { charge: true });
    await kiln.artifacts.reference(id);
    await kiln.artifacts.reference(id);
    await kiln.artifacts.unreference(id);
    expect((await kiln.artifacts.getFile(id)).referenceCount).toBe(1);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1000, files: 1000 });

    await kiln.artifacts.unreference(id);

    await expect(kiln.artifacts.getFile(id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(kiln.artifacts.reference(id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(await objects()).not.toContain(`${id.slice(0, 2)}/${id}`);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
  });

  it('are charged while something living has one, and once', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 1500 });
    const { id } = await kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(1000)), { charge: true });
    await kiln.artifacts.reference(id);
    await kiln.artifacts.reference(id);
    await kiln.artifacts.discharge(id);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1000, files: 1000 });
    await kiln.artifacts.discharge(id);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    await kiln.artifacts.charge(id);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1000, files: 1000 });
  });

  it('cannot be charged again when there is no room any more', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 1500 });
    const { id } = await kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(1000)), { charge: true });
    await kiln.artifacts.reference(id);
    await kiln.artifacts.discharge(id);
    await put(actor, 'other', bytes(1000));
    await expect(kiln.artifacts.charge(id)).rejects.toMatchObject({ code: 'tenancy.limit_exceeded' });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1000, files: 1000 });
  });

  it('move with their charge to another project that has room', async () => {
    const [from, to, full] = [
      await kiln.actor(),
      await kiln.actor('member', { storage_bytes: 1000 }),
      await kiln.actor('member', { storage_bytes: 999 }),
    ];
    const { id } = await kiln.artifacts.storeFile(from.projectId, streamOf(bytes(1000)), { charge: true });
    await kiln.artifacts.reference(id);
    await expect(kiln.artifacts.moveCharge(id, full.projectId)).rejects.toMatchObject({ kind: 'quota_exceeded' });
    await kiln.artifacts.moveCharge(id, to.projectId);
    expect([await kiln.bytes(from), await kiln.bytes(full), await kiln.bytes(to)]).toEqual([
      { ledger: 0, files: 0 },
      { ledger: 0, files: 0 },
      { ledger: 1000, files: 1000 },
    ]);
  });
});

describe('the sweep', () => {
  it('removes what a dead writer left, and leaves living writers alone', async () => {
    const actor = await kiln.actor();
    const stopping = new AbortController();
    // A writer that stopped right here: its row, its reservation, and the object that it had finished.
    let id = '';
    const stuck = kiln.artifacts
      .storeFile(actor.projectId, new Readable({ read() {} }), {
        charge: true,
        sizeBytes: 5000,
        onBegin: async (fileId) => {
          id = fileId;
        },
        signal: stopping.signal,
      })
      .catch((error: Error) => error);
    for (; id === '';) await new Promise(setImmediate);
    await kiln.artifacts.sweep();
    expect(await rows('writing')).toBe(1);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 5000, files: 5000 });

    await kiln.store.put(`${id.slice(0, 2)}/${id}`, streamOf(bytes(10)));
    await kiln.database.run(`UPDATE stored_files SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [
      id,
    ]);
    const removed = await Promise.all([kiln.artifacts.sweep(), kiln.artifacts.sweep(), kiln.artifacts.sweep()]);

    expect(removed.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(await rows('writing')).toBe(0);
    expect(await objects()).not.toContain(`${id.slice(0, 2)}/${id}`);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    stopping.abort();
    // Whichever came first: the signal, or the look after the lease.
    expect((await stuck) as Error).toMatchObject({
      name: expect.stringMatching(/^(AbortError|WriteLeaseLostError)$/),
    });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
  });

  it('removes complete files that nothing refers to, an hour later', async () => {
    const actor = await kiln.actor();
    const { id } = await kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(100)), { charge: true });
    const { file: kept } = await put(actor, 'kept', bytes(100));
    await kiln.artifacts.sweep();
    expect((await kiln.artifacts.getFile(id)).state).toBe('stored');

    await kiln.database.run(`UPDATE stored_files SET references_changed_at = now() - interval '61 minutes'`);
    await kiln.artifacts.sweep();

    await expect(kiln.artifacts.getFile(id)).rejects.toMatchObject({ kind: 'not_found' });
    expect((await kiln.artifacts.getFile(kept.id)).state).toBe('stored');
    expect(await kiln.bytes(actor)).toEqual({ ledger: 100, files: 100 });
  });

  it('finishes removals that broke off', async () => {
    const actor = await kiln.actor();
    const { id } = await kiln.artifacts.storeFile(actor.projectId, streamOf(bytes(100)), { charge: true });
    await kiln.database.run(
      `UPDATE stored_files SET state = 'deleting', references_changed_at = now() - interval '1 minute' WHERE id = $1`,
      [id],
    );
    expect(await objects()).toContain(`${id.slice(0, 2)}/${id}`);
    await kiln.artifacts.sweep();
    expect(await objects()).not.toContain(`${id.slice(0, 2)}/${id}`);
    expect(await rows('deleting')).toBe(0);
  });
});

describe('addresses', () => {
  it('are replaced by one of many that race for them, and the others leave nothing', async () => {
    const actor = await kiln.actor();
    const stored = await Promise.all(Array.from({ length: 6 }, (_, index) => put(actor, 'same', bytes(1000 + index))));
    const artifact = (await kiln.artifacts.find(actor.projectId!, 'b', 'same'))!;
    const file = await kiln.artifacts.getFile(artifact.storedFileId);
    expect(stored.map(({ file: { id } }) => id)).toContain(file.id);
    expect(file.referenceCount).toBe(1);
    expect(await kiln.bytes(actor)).toEqual({ ledger: file.sizeBytes, files: file.sizeBytes });
  });

  it('can be read at any moment while others replace what lies there', async () => {
    const address = { bucket: 'b', key: 'busy' };
    await put(alice, 'busy', bytes(10));
    let replacing = true;
    const replaced = (async () => {
      for (let size = 11; size < 61; size += 1) await put(alice, 'busy', bytes(size));
      replacing = false;
    })();

    const look = () => kiln.artifacts.get(alice, address);
    let reads = 0;
    for (; replacing; reads += 1) {
      const found = await Promise.all(
        Array.from({ length: 4 }, async () => kiln.artifacts.openFound(await look(), look)),
      );
      for (const { file, bytes: body } of found) expect((await buffer(body)).length).toBe(file.sizeBytes);
    }

    await replaced;
    expect(reads).toBeGreaterThan(0);
  });

  it('are looked up again when their bytes go before they are opened, unless the store has lost them', async () => {
    const address = { bucket: 'b', key: 'slippery' };
    await put(alice, 'slippery', bytes(10, 1));
    const look = () => kiln.artifacts.get(alice, address);
    const found = await look();
    await put(alice, 'slippery', bytes(20, 2));

    const { file, bytes: body } = await kiln.artifacts.openFound(found, look, () => ({ start: 15, end: 19 }));

    expect((await buffer(body)).equals(bytes(5, 2))).toBe(true);
    await kiln.store.delete(file.objectKey);
    await expect(kiln.artifacts.openFound(await look(), look)).rejects.toMatchObject({
      code: 'object_store.not_found',
    });
  });

  it('move below deleted/ without meeting one that lies there, and cost nothing there', async () => {
    const actor = await kiln.actor();
    const first = await put(actor, 'x', bytes(10));
    expect((await kiln.artifacts.moveToDeleted(first.artifact.id)).key).toBe('deleted/x');
    const second = await put(actor, 'x', bytes(20));
    const moved = await kiln.artifacts.moveToDeleted(second.artifact.id);
    expect(moved).toMatchObject({ key: `deleted/${second.artifact.id}/x`, movedFromKey: 'x' });
    expect(await kiln.artifacts.moveToDeleted(moved.id)).toEqual(moved);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    await kiln.artifacts.remove(moved.id);
    await kiln.artifacts.remove(first.artifact.id);
    await expect(kiln.artifacts.getFile(second.file.id)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('that could not exist are told from those where nothing lies', async () => {
    const impossible = { bucket: 'b', key: 'a\0b' };
    const malformed = { code: 'artifacts.malformed_address' };
    await expect(kiln.artifacts.get(alice, impossible)).rejects.toMatchObject(malformed);
    await expect(kiln.artifacts.delete(alice, impossible)).rejects.toMatchObject(malformed);
    await expect(kiln.artifacts.put(alice, impossible, streamOf(bytes(1)), {})).rejects.toMatchObject(malformed);
    await expect(kiln.artifacts.get(alice, { bucket: 'b', key: '../a' })).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('cannot be taken twice', async () => {
    const { artifact, file } = await put(alice, 'taken', bytes(10));
    const address = { bucket: 'b', key: 'taken' };
    await expect(kiln.artifacts.attach(alice.projectId!, address, file.id)).rejects.toMatchObject({ kind: 'conflict' });
    const other = await kiln.artifacts.attach(alice.projectId!, { ...address, key: 'free' }, file.id);
    await expect(kiln.artifacts.move(other.id, 'taken')).rejects.toMatchObject({ kind: 'conflict' });
    expect((await kiln.artifacts.move(other.id, 'elsewhere')).key).toBe('elsewhere');
    await kiln.artifacts.remove(artifact.id);
    expect((await kiln.artifacts.getFile(file.id)).referenceCount).toBe(1);
  });
});
