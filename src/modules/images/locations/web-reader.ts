import { createHash } from 'node:crypto';
import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import { EgressFailedError, EgressRefusedError } from '../../../platform/egress/egress.errors.js';
import type { ByteRange } from '../../../platform/object-store/object-store.js';
import { LocationInvalidError, LocationUnavailableError } from './locations.errors.js';

/** What is known of the bytes of an image, wherever they come from. */
export interface KnownBytes {
  readonly sizeBytes: number;
  readonly md5: string | null;
  /** The sha512, unless it is not known (yet). */
  readonly hashValue: string | null;
}

/** Reads what lies on the web. Its bytes are not ours: they are the image's only if they are what is known of it. */
@Injectable()
export class WebReader {
  constructor(private readonly egress: EgressClient) {}

  /**
   * The rules on addresses, without asking anybody. What is in a store of Kiln is never taken from a user's word: the
   * address of a copy may be somebody else's.
   * @throws LocationInvalidError
   */
  check(url: string): void {
    try {
      this.egress.check(url);
    } catch (error) {
      if (!(error instanceof EgressRefusedError)) throw error;
      throw new LocationInvalidError(error.message, {}, { cause: error });
    }
  }

  /**
   * Asks a place how long its bytes are.
   * @throws LocationInvalidError the rules refuse it, nothing is there, or it does not say
   * @throws EgressFailedError it cannot be reached now
   */
  async measure(url: string): Promise<number> {
    try {
      const { status, sizeBytes, body } = await this.egress.get(url);
      body.destroy();
      if (status === 200 && sizeBytes) return sizeBytes;
      throw new LocationInvalidError('Invalid location: it does not say how many bytes it has');
    } catch (error) {
      if (error instanceof EgressRefusedError) throw new LocationInvalidError(error.message, {}, { cause: error });
      const isMissing = error instanceof EgressFailedError && /^4\d\d$/.test(String(error.details.status));
      if (isMissing) throw new LocationInvalidError(error.message, {}, { cause: error });
      throw error;
    }
  }

  /**
   * Opens the bytes of an image at a place. The stream fails before its last bytes if they are not the image's; so a part
   * of what has a digest is taken out of the whole, which costs the whole.
   *
   * @throws LocationUnavailableError
   */
  async open(url: string, known: KnownBytes, range?: ByteRange): Promise<Readable> {
    const isVerified = known.md5 !== null || known.hashValue !== null;
    const asked = isVerified ? undefined : range;
    const wanted = range ?? { start: 0, end: known.sizeBytes - 1 };
    try {
      const reply = await this.egress.get(url, { range: asked, maxBytes: known.sizeBytes });
      const isPart = asked !== undefined && reply.status === 206;
      const problem = isPart ? wrongPart(reply.headers, asked, known) : wrongWhole(reply, known);
      if (problem) {
        reply.body.destroy();
        throw new LocationUnavailableError(problem);
      }
      const skip = isPart ? 0 : wanted.start;
      const part = new VerifiedPart(skip, wanted.end - wanted.start + 1, isPart ? null : known);
      pipeline(reply.body, part, () => undefined);
      return part;
    } catch (error) {
      if (error instanceof LocationUnavailableError) throw error;
      throw new LocationUnavailableError((error as Error).message, error);
    }
  }
}

function wrongWhole(reply: { readonly status: number; readonly sizeBytes: number | null }, known: KnownBytes) {
  if (reply.status !== 200) return `it answered ${reply.status}`;
  if (reply.sizeBytes !== null && reply.sizeBytes !== known.sizeBytes) return 'it has another size than the image';
  return null;
}

function wrongPart(headers: Readonly<Record<string, string>>, range: ByteRange, known: KnownBytes): string | null {
  const expected = `bytes ${range.start}-${range.end}/${known.sizeBytes}`;
  return headers['content-range'] === expected ? null : 'it has another size than the image, or sent another part';
}

/**
 * Lets a part of what passes through, and compares all of it with what is known. The last piece of the part is held back
 * until that is done: who gets the end of it got the image's bytes.
 */
class VerifiedPart extends Transform {
  private readonly hashes: readonly (readonly [name: string, hash: ReturnType<typeof createHash>, expected: string])[];
  private passedBytes = 0;
  private heldBack: Buffer | null = null;
  private readonly endBytes: number;

  constructor(
    private readonly skipBytes: number,
    partBytes: number,
    private readonly known: KnownBytes | null,
  ) {
    super();
    this.endBytes = skipBytes + partBytes;
    this.hashes = [['md5', known?.md5] as const, ['sha512', known?.hashValue] as const].flatMap(([name, expected]) =>
      expected ? [[name, createHash(name), expected] as const] : [],
    );
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (const [, hash] of this.hashes) hash.update(chunk);
    const start = Math.max(this.skipBytes - this.passedBytes, 0);
    const end = Math.max(this.endBytes - this.passedBytes, 0);
    this.passedBytes += chunk.length;
    const part = chunk.subarray(start, end);
    if (part.length > 0) {
      if (this.heldBack) this.push(this.heldBack);
      this.heldBack = part;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    const expectedBytes = this.known?.sizeBytes ?? this.endBytes;
    if (this.passedBytes !== expectedBytes)
      return done(new LocationUnavailableError('it has another size than the image'));
    for (const [name, hash, expected] of this.hashes) {
      if (hash.digest('hex') !== expected) return done(new LocationUnavailableError(`its ${name} is not the image's`));
    }
    if (this.heldBack) this.push(this.heldBack);
    done();
  }
}
