/** Digests that can be computed. */
export type HashAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512';

/** Bytes of one hand-over to the threads; big enough that messages cost nothing beside hashing. */
export const SLOT_BYTES = 1024 * 1024;

/** Where the digests of one stream are computed. Made and used by `StreamHasher`; everybody else sees that. */
export interface DigestChannel {
  /**
   * Adds up to `SLOT_BYTES` bytes. Resolves as soon as they are copied, which waits for a free slot.
   */
  send(chunks: readonly Buffer[], length: number): Promise<void> | undefined;
  /** The digests of all that was sent, as lower-case hexadecimal. */
  finish(): Promise<Partial<Record<HashAlgorithm, string>>>;
  /** Frees what the threads hold for a stream that will not be finished. */
  abandon(): void;
}
