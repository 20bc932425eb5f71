import type { Job } from '../job.entity.js';

/** Digests that may be awaited, and how many hexadecimal digits they have. */
export const HASH_ALGORITHMS = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;
export type HashAlgorithm = keyof typeof HASH_ALGORITHMS;

/** What bytes must come to. */
export interface AwaitedDigest {
  readonly algorithm: HashAlgorithm;
  /** In lower-case hex. */
  readonly value: string;
}

/** What a job of type `hash` is to do: its `input`. */
export interface HashOrder {
  readonly url: string;
  readonly validation: AwaitedDigest | null;
}

/** @throws TypeError the job is no such one */
export function hashOrderOf({ id, input }: Pick<Job, 'id' | 'input'>): HashOrder {
  if (input === null) throw new TypeError(`job ${id} has no order`);
  return input as unknown as HashOrder;
}
