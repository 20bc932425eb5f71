const SMALL_BYTES = 4096;
const MOST_SMALL_CHUNKS = 64;

/**
 * Chunks of a stream on their way to one larger operation, kept without copying.
 *
 * Small ones are joined now and then: a client that sends its body a byte at a time must not cost an object per byte.
 */
export class ChunkBatch {
  private chunks: Buffer[] = [];
  private smallOnes = 0;
  private bytes = 0;

  get length(): number {
    return this.bytes;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.smallOnes = chunk.length < SMALL_BYTES ? this.smallOnes + 1 : 0;
    if (this.smallOnes < MOST_SMALL_CHUNKS) return;
    this.chunks.push(Buffer.concat(this.chunks.splice(-this.smallOnes)));
    this.smallOnes = 0;
  }

  /** The chunks in order; the batch is empty afterwards. */
  take(): Buffer[] {
    const taken = this.chunks;
    this.chunks = [];
    this.smallOnes = 0;
    this.bytes = 0;
    return taken;
  }
}
