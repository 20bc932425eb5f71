import { Readable, finished } from 'node:stream';

/**
 * The bytes of `source` as a stream whose failure is one of the store's errors, whatever the client library raised.
 * Destroying it destroys `source`.
 */
export class ReadableObject extends Readable {
  constructor(
    private readonly source: Readable,
    asStoreError: (error: unknown) => Error,
  ) {
    super();
    source.pause();
    source.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) source.pause();
    });
    finished(source, (error) => {
      if (error) this.destroy(asStoreError(error));
      else this.push(null);
    });
  }

  override _read(): void {
    this.source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.source.destroy();
    done(error);
  }
}
