import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  S3Client,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { KilnError } from '../../common/errors.js';
import { assertObjectKey } from './object-key.js';
import { ObjectStore, type ByteRange, type ObjectInfo, type StoreDescription } from './object-store.js';
import {
  ObjectNotFoundError,
  ObjectRangeError,
  ObjectSizeMismatchError,
  StoreFullError,
  StoreUnavailableError,
} from './object-store.errors.js';
import { ReadableObject } from './readable-object.js';
import { FEW_PARTS } from './s3-part-size.js';
import { S3Upload, sweepSpool } from './s3-upload.js';

/** How to reach a bucket, and how much memory uploads to it may take. */
export interface S3ObjectStoreOptions {
  readonly id: string;
  readonly description?: string;
  readonly weight?: number;
  /** Absent: Amazon's own for the region. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** Put before every key. */
  readonly prefix?: string;
  /** Absent: the SDK looks for credentials in its usual places. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly forcePathStyle?: boolean;
  /** Size of a part held in memory, and of the largest object written with one request. At least 5 MiB, which S3 demands. */
  readonly partBytes?: number;
  /** How many parts to get by with, if larger ones (which go through `spoolDir`) will do; the server's own limit. */
  readonly fewParts?: number;
  /** Folder for parts too large for memory; made when it is needed. */
  readonly spoolDir?: string;
}

/** The least that S3 takes: eight uploads at once must fit into a small process beside everything else. */
const DEFAULT_PART_BYTES = 5 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;
/** Until the answer begins; an upload's largest part must fit. */
const ANSWER_TIMEOUT_MS = 300_000;
const CHECK_TIMEOUT_MS = 5_000;
const FULL = ['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded'];
/** What servers answer to a call that they do not have. */
const NOT_IMPLEMENTED = ['NotImplemented', 'MethodNotAllowed', 'InvalidURI'];

/** Objects in one bucket of an S3-compatible server, below an optional prefix. */
export class S3ObjectStore extends ObjectStore {
  readonly description: StoreDescription;
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;
  private readonly partBytes: number;
  private readonly fewParts: number;
  private readonly spoolDir: string;
  private readonly uploads = new Set<string>();

  constructor(options: S3ObjectStoreOptions) {
    super();
    this.bucket = options.bucket;
    this.prefix = options.prefix ?? '';
    this.partBytes = options.partBytes ?? DEFAULT_PART_BYTES;
    const { id, description, weight } = options;
    this.description = { id, type: 's3', description, weight, details: { partBytes: this.partBytes } };
    this.fewParts = options.fewParts ?? FEW_PARTS;
    this.spoolDir = options.spoolDir ?? tmpdir();
    const { accessKeyId, secretAccessKey } = options;
    this.client = new S3Client({
      endpoint: options.endpoint,
      region: options.region,
      forcePathStyle: options.forcePathStyle ?? true,
      credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
      // The default wraps bodies in a framing that some servers refuse and some store as if it were content.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // A round trip more for each part, and some servers never answer it.
      expectContinueHeader: false,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: ANSWER_TIMEOUT_MS,
        throwOnRequestTimeout: true,
        // Off: a slow client of ours pauses a download for as long as it likes.
        socketTimeout: 0,
        httpAgent: { keepAlive: true, maxSockets: 256 },
        httpsAgent: { keepAlive: true, maxSockets: 256 },
      },
    });
    if (options.endpoint?.startsWith('http:') !== true) this.leavePayloadIntegrityToTls();
  }

  async put(
    key: string,
    body: Readable,
    options: { sizeBytes?: number; signal?: AbortSignal } = {},
  ): Promise<ObjectInfo> {
    let upload: S3Upload | undefined;
    try {
      assertObjectKey(key);
      options.signal?.throwIfAborted();
      upload = new S3Upload({
        client: this.client,
        bucket: this.bucket,
        key: this.prefix + key,
        sizeBytes: options.sizeBytes,
        partBytes: this.partBytes,
        fewParts: this.fewParts,
        spoolDir: this.spoolDir,
        asStoreError: (error) => this.failure('writing', error),
        underWay: this.uploads,
      });
      await pipeline(body, upload, { signal: options.signal });
      if (options.sizeBytes !== undefined && options.sizeBytes !== upload.bytesTaken) {
        throw new ObjectSizeMismatchError(options.sizeBytes, upload.bytesTaken);
      }
      const sizeBytes = await upload.complete(options.signal);
      await this.verify(key, sizeBytes);
      return { key, sizeBytes };
    } catch (error) {
      body.destroy();
      await upload?.discard();
      if (options.signal?.aborted && isAbort(error)) throw options.signal.reason;
      throw error;
    }
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    assertObjectKey(key);
    if (range && range.end < range.start) throw new ObjectRangeError(key, (await this.head(key)).sizeBytes);
    try {
      const answer = await this.client.send(
        new GetObjectCommand({
          Bucket: this.bucket,
          Key: this.prefix + key,
          // Never a suffix range (`-n`): servers differ in what they make of it.
          Range: range && `bytes=${range.start}-${range.end}`,
        }),
      );
      const body = answer.Body as Readable;
      if (range && (answer.ContentLength ?? 0) > range.end - range.start + 1) {
        body.destroy();
        throw new Error(`${answer.ContentLength} bytes came for the range ${range.start}-${range.end}`);
      }
      return new ReadableObject(body, (error) => this.failure('reading', error, key));
    } catch (error) {
      const status = statusOf(error);
      if (status === 416 || nameOf(error) === 'InvalidRange') {
        throw new ObjectRangeError(key, (await this.head(key)).sizeBytes);
      }
      throw this.failure('reading', error, key);
    }
  }

  async head(key: string): Promise<ObjectInfo> {
    assertObjectKey(key);
    try {
      const answer = await this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: this.prefix + key }));
      return { key, sizeBytes: answer.ContentLength ?? 0 };
    } catch (error) {
      throw this.failure('reading', error, key);
    }
  }

  override presignGet(key: string, lifeSeconds: number): Promise<string> {
    assertObjectKey(key);
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: this.prefix + key });
    return this.doing('signing an address of', () => getSignedUrl(this.client, command, { expiresIn: lifeSeconds }));
  }

  async delete(key: string): Promise<void> {
    assertObjectKey(key);
    try {
      await this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: this.prefix + key }));
    } catch (error) {
      const failure = this.failure('deleting', error, key);
      if (!(failure instanceof ObjectNotFoundError)) throw failure;
    }
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo & { modifiedAt: Date }> {
    let token: string | undefined;
    do {
      const page = await this.doing('listing', () =>
        this.client.send(
          new ListObjectsV2Command({ Bucket: this.bucket, Prefix: this.prefix + prefix, ContinuationToken: token }),
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined || Key.endsWith('/')) continue;
        yield { key: Key.slice(this.prefix.length), sizeBytes: Size ?? 0, modifiedAt: LastModified ?? new Date(0) };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async removeAbandoned(ageMs: number): Promise<number> {
    const before = Date.now() - ageMs;
    let removed = await this.doing('deleting', () => sweepSpool(this.spoolDir, before));
    for await (const upload of this.unfinishedUploads()) {
      if (this.uploads.has(upload.UploadId!) || (await this.lastActivity(upload)) > before) continue;
      await this.doing('deleting', () =>
        this.client.send(
          new AbortMultipartUploadCommand({ Bucket: this.bucket, Key: upload.Key, UploadId: upload.UploadId }),
        ),
      );
      removed += 1;
    }
    return removed;
  }

  async check(): Promise<void> {
    await this.doing('its check', () =>
      this.client.send(new HeadBucketCommand({ Bucket: this.bucket }), {
        abortSignal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
      }),
    );
  }

  override async close(): Promise<void> {
    this.client.destroy();
  }

  /** The size is what every server tells truly; ETags are no digests, and the caller computes its own. */
  private async verify(key: string, sizeBytes: number): Promise<void> {
    const answer = await this.doing('writing', () =>
      this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: this.prefix + key })),
    );
    const storedBytes = answer.ContentLength ?? 0;
    if (storedBytes === sizeBytes) return;
    const mismatch = `${sizeBytes} bytes were sent, ${storedBytes} are there`;
    throw new StoreUnavailableError(this.description.id, 'writing', mismatch);
  }

  private async *unfinishedUploads(): AsyncGenerator<MultipartUpload> {
    let keyMarker: string | undefined;
    let uploadMarker: string | undefined;
    do {
      let page;
      try {
        page = await this.client.send(
          new ListMultipartUploadsCommand({
            Bucket: this.bucket,
            Prefix: this.prefix,
            KeyMarker: keyMarker,
            UploadIdMarker: uploadMarker,
          }),
        );
      } catch (error) {
        // A server without this call cleans up by its own rules, or its operator does.
        if (statusOf(error) === 501 || NOT_IMPLEMENTED.includes(nameOf(error))) return;
        throw this.failure('listing', error);
      }
      for (const upload of page.Uploads ?? []) {
        // Not every server heeds the prefix, and others may write to this bucket too.
        if (upload.UploadId && upload.Key?.startsWith(this.prefix)) yield upload;
      }
      keyMarker = page.IsTruncated ? page.NextKeyMarker : undefined;
      uploadMarker = page.IsTruncated ? page.NextUploadIdMarker : undefined;
    } while (keyMarker !== undefined);
  }

  /** A day-long upload of another process began long ago, but its last part is recent. */
  private async lastActivity(upload: MultipartUpload): Promise<number> {
    let last = upload.Initiated?.getTime() ?? 0;
    let marker: string | undefined;
    do {
      let page;
      try {
        page = await this.client.send(
          new ListPartsCommand({
            Bucket: this.bucket,
            Key: upload.Key,
            UploadId: upload.UploadId,
            PartNumberMarker: marker,
          }),
        );
      } catch {
        return last;
      }
      for (const part of page.Parts ?? []) last = Math.max(last, part.LastModified?.getTime() ?? 0);
      marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
    } while (marker !== undefined);
    return last;
  }

  /** Over TLS, hashing each part for the signature would only repeat what the connection guarantees. */
  private leavePayloadIntegrityToTls(): void {
    this.client.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { headers?: Record<string, string>; body?: unknown };
        if (request.headers && request.body !== undefined) request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
        return next(args);
      },
      { step: 'build', name: 'unsignedPayload' },
    );
  }

  private async doing<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.failure(what, error);
    }
  }

  private failure(doing: string, error: unknown, key?: string): Error {
    if (error instanceof KilnError) return error;
    const name = nameOf(error);
    const status = statusOf(error);
    if (key !== undefined && status === 404 && name !== 'NoSuchBucket' && name !== 'NoSuchUpload') {
      return new ObjectNotFoundError(key, { cause: error });
    }
    if (FULL.includes(name) || status === 507) return new StoreFullError(this.description.id, error);
    return new StoreUnavailableError(this.description.id, doing, error);
  }
}

function nameOf(error: unknown): string {
  return (error as { name?: string } | undefined)?.name ?? '';
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

function isAbort(error: unknown): boolean {
  return nameOf(error) === 'AbortError' || (error instanceof KilnError && nameOf(error.cause) === 'AbortError');
}
