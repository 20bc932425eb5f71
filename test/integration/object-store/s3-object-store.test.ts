import { describe, it, expect, beforeAll, beforeEach, afterAll, afterEach } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { S3ObjectStore } from '../../../src/platform/object-store/s3-object-store.js';
import { collect, describeObjectStore, inChunks } from '../../support/object-stores.js';
import { startS3Server, type S3Server } from '../../support/servers/s3-server.js';

const MIB = 1024 * 1024;
/** The least that S3 allows, so that a few megabytes are several parts. */
const PART_BYTES = 5 * MIB;

const storeOf = (server: S3Server, prefix = 'some/prefix/'): S3ObjectStore =>
  new S3ObjectStore({ id: 'bulk', region: 'us-east-1', prefix, partBytes: PART_BYTES, ...server });

describeObjectStore(
  's3 (s3rver)',
  async () => {
    const server = await startS3Server();
    const store = storeOf(server);
    return {
      store,
      leftovers: () => server.unfinishedUploads(),
      close: async () => {
        await store.close();
        await server.close();
      },
    };
  },
  { replaces: true },
);

const real = {
  endpoint: process.env.KILN_TEST_S3_ENDPOINT,
  bucket: process.env.KILN_TEST_S3_BUCKET,
  accessKeyId: process.env.KILN_TEST_S3_ACCESS_KEY,
  secretAccessKey: process.env.KILN_TEST_S3_SECRET_KEY,
};
if (real.endpoint && real.bucket) {
  const bucket = real.bucket;
  describeObjectStore(
    `s3 (${real.endpoint})`,
    async () => {
      const store = new S3ObjectStore({
        id: 'real',
        region: process.env.KILN_TEST_S3_REGION ?? 'us-east-1',
        prefix: `kiln-test-${Date.now()}/`,
        partBytes: PART_BYTES,
        ...real,
        bucket,
      });
      return {
        store,
        // All of this run's unfinished uploads count as abandoned, unless this process is still at them.
        leftovers: () => store.removeAbandoned(-3_600_000),
        close: () => store.close(),
      };
    },
    { replaces: true },
  );
}

describe('S3ObjectStore', () => {
  let server: S3Server;
  let store: S3ObjectStore;

  beforeAll(async () => {
    server = await startS3Server();
  });
  beforeEach(() => {
    store = storeOf(server);
  });
  afterEach(async () => {
    server.interfere(null);
    await store.close();
  });
  afterAll(() => server.close());

  it('puts its prefix before every key and shows nothing beside it', async () => {
    const everything = storeOf(server, '');
    await everything.put('elsewhere/a', Readable.from([Buffer.from('a')]));

    await store.put('images/a', Readable.from([Buffer.from('b')]));

    expect(await keys(store)).toEqual(['images/a']);
    expect(await keys(everything)).toEqual(['elsewhere/a', 'some/prefix/images/a']);
    await everything.close();
  });

  it('signs an address at which one object can be read by whoever has it', async () => {
    await store.put('images/a b', Readable.from([Buffer.from('bytes')]));

    const url = new URL(await store.presignGet('images/a b', 90));

    expect(await (await fetch(url)).text()).toBe('bytes');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('90');
    // As if it had been signed an hour ago.
    const signedAt = new Date(Date.now() - 3_600_000).toISOString().replace(/[-:]|\.\d+/g, '');
    url.searchParams.set('X-Amz-Date', signedAt);
    expect((await fetch(url)).status).toBe(403);
  });

  it('writes what fits into one part with one request', async () => {
    const requests: string[] = [];
    server.interfere((request) => {
      requests.push(`${request.method} ${new URL(request.url!, 'http://s3').search}`);
      return false;
    });

    await store.put('exactly-one-part', inChunks(Buffer.alloc(PART_BYTES), 65_536));

    expect(requests).toEqual(['PUT ?x-id=PutObject', 'HEAD ']);
  });

  it('sends a part again that the server failed to take', async () => {
    const bytes = randomBytes(12 * MIB);
    const failures = failTimes(server, 2, (method, url) => method === 'PUT' && url.includes('partNumber=2'));

    await store.put('retried', inChunks(bytes, 65_536));

    expect(failures()).toBe(2);
    expect((await collect(await store.get('retried'))).equals(bytes)).toBe(true);
  });

  it('aborts the upload when a part cannot be sent', async () => {
    failTimes(server, Infinity, (method, url) => method === 'PUT' && url.includes('partNumber=2'));
    const body = inChunks(Buffer.alloc(20 * MIB), 65_536);

    await expect(store.put('refused', body)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'object_store.unavailable',
    });

    expect(body.destroyed).toBe(true);
    expect(await server.unfinishedUploads()).toBe(0);
    await expect(store.head('refused')).rejects.toMatchObject({ code: 'object_store.not_found' });
  });

  it('is content when only the answer to the completion was lost', async () => {
    const bytes = randomBytes(6 * MIB);
    let lost = 0;
    server.interfere((request, response) => {
      if (request.method !== 'POST' || !request.url!.includes('uploadId') || lost > 0) return false;
      lost += 1;
      dropAnswer(response);
      return false;
    });

    await store.put('completed', inChunks(bytes, 65_536));

    expect(lost).toBe(1);
    expect((await collect(await store.get('completed'))).equals(bytes)).toBe(true);
  });

  it('removes an object that the server stored with another size', async () => {
    server.interfere((request, response) => {
      if (request.method !== 'HEAD') return false;
      response.writeHead(200, { 'content-length': '3' }).end();
      return true;
    });

    await expect(store.put('misstored', Readable.from([Buffer.from('12345')]))).rejects.toMatchObject({
      kind: 'unavailable',
    });

    server.interfere(null);
    await expect(store.head('misstored')).rejects.toMatchObject({ code: 'object_store.not_found' });
  });

  it('refuses more bytes than the range it asked for', async () => {
    await store.put('ranged', Readable.from([Buffer.from('0123456789')]));
    server.interfere((request) => {
      if (request.method === 'GET') delete request.headers.range;
      return false;
    });

    await expect(store.get('ranged', { start: 2, end: 3 })).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('is unavailable when nothing answers, and tells which store', async () => {
    const gone = new S3ObjectStore({
      id: 'gone',
      region: 'us-east-1',
      bucket: 'b',
      endpoint: 'http://127.0.0.1:1',
      accessKeyId: 'a',
      secretAccessKey: 'b',
    });

    for (const attempt of [
      () => gone.check(),
      () => gone.head('a'),
      () => gone.get('a'),
      () => gone.delete('a'),
      () => gone.put('a', Readable.from([Buffer.from('x')])),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ kind: 'unavailable', details: { store: 'gone' } });
    }
    await gone.close();
  });

  it('is unavailable when the bucket does not exist', async () => {
    const astray = new S3ObjectStore({ id: 'astray', region: 'us-east-1', ...server, bucket: 'no-such-bucket' });

    await expect(astray.check()).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(astray.get('a')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(astray.put('a', Readable.from([Buffer.from('x')]))).rejects.toMatchObject({ kind: 'unavailable' });
    await astray.close();
  });

  it('fails a download that breaks off, as unavailable', async () => {
    await store.put('broken', inChunks(Buffer.alloc(4 * MIB), 65_536));
    server.interfere((request, response) => {
      if (request.method !== 'GET') return false;
      response.writeHead(200, { 'content-length': String(4 * MIB) });
      response.write(Buffer.alloc(MIB), () => response.destroy());
      return true;
    });

    await expect(collect(await store.get('broken'))).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('lists more objects than one page holds', async () => {
    // By hand: s3rver makes its continuation tokens with a cipher that OpenSSL 3 no longer has.
    const pages: Record<string, string> = {
      '': '<IsTruncated>true</IsTruncated><NextContinuationToken>2/=</NextContinuationToken>' + contents('a', 'b'),
      '2/=': '<IsTruncated>true</IsTruncated><NextContinuationToken>3</NextContinuationToken>',
      '3': '<IsTruncated>false</IsTruncated>' + contents('c'),
    };
    server.interfere((request, response) => {
      const token = new URL(request.url!, 'http://s3').searchParams.get('continuation-token') ?? '';
      response.end(`<?xml version="1.0"?><ListBucketResult>${pages[token]}</ListBucketResult>`);
      return true;
    });

    expect(await keys(store)).toEqual(['a', 'b', 'c']);
  });

  it('removes nothing where the server cannot list unfinished uploads', async () => {
    expect(await store.removeAbandoned(0)).toBe(0);
  });

  it('aborts unfinished uploads of dead processes, but not those that got a part lately, nor those of others', async () => {
    const now = Date.now();
    const aborted: string[] = [];
    server.interfere((request, response) => {
      const url = new URL(request.url!, 'http://s3');
      const xml = (body: string): boolean => {
        response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${body}`);
        return true;
      };
      const upload = (key: string, id: string, ageMs: number): string =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${new Date(now - ageMs).toISOString()}</Initiated></Upload>`;
      if (url.searchParams.has('uploads') && request.method === 'GET') {
        return xml(
          `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${upload('some/prefix/a', 'dead', 9e7)}${upload(
            'some/prefix/b',
            'slow',
            9e7,
          )}${upload('some/prefix/c', 'young', 1e6)}${upload('other/d', 'foreign', 9e7)}</ListMultipartUploadsResult>`,
        );
      }
      const id = url.searchParams.get('uploadId');
      if (id !== null && request.method === 'GET') {
        const at = new Date(id === 'slow' ? now : now - 8e7).toISOString();
        return xml(
          `<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><LastModified>${at}</LastModified></Part></ListPartsResult>`,
        );
      }
      if (id !== null && request.method === 'DELETE') {
        aborted.push(id);
        response.writeHead(204).end();
        return true;
      }
      return false;
    });

    expect(await store.removeAbandoned(3_600_000)).toBe(1);

    expect(aborted).toEqual(['dead']);
  });
});

function contents(...names: string[]): string {
  const one = (name: string): string =>
    `<Contents><Key>some/prefix/${name}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`;
  return names.map(one).join('');
}

async function keys(store: S3ObjectStore): Promise<string[]> {
  const found = [];
  for await (const { key } of store.list('')) found.push(key);
  return found.sort();
}

/** Answers the first `times` requests that match with an error of the server; returns how many there were. */
function failTimes(server: S3Server, times: number, matches: (method: string, url: string) => boolean): () => number {
  let failed = 0;
  server.interfere((request, response) => {
    if (failed >= times || !matches(request.method!, request.url!)) return false;
    failed += 1;
    request.resume();
    request.on('end', () => response.writeHead(500).end());
    return true;
  });
  return () => failed;
}

/** Lets the server do its work and cuts the connection when it would answer. */
function dropAnswer(response: ServerResponse): void {
  response.end = () => response.destroy();
}
