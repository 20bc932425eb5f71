import { Readable, finished } from 'node:stream';

/** The bytes of an answer: counted, with the caller's errors, and whatever happens to it `release` is called once. */
export class EgressBody extends Readable {
  private sizeBytes = 0;

  constructor(
    private readonly source: Readable,
    private readonly options: {
      readonly maxBytes: number;
      tooLarge(): Error;
      failed(error: unknown): Error;
      release(): void;
    },
  ) {
    super();
    source.pause();
    source.on('data', (chunk: Buffer) => this.receive(chunk));
    finished(source, (error) => {
      if (error) this.destroy(options.failed(error));
      else this.push(null);
    });
  }

  override _read(): void {
    this.source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.source.destroy();
    this.options.release();
    done(error);
  }

  private receive(chunk: Buffer): void {
    this.sizeBytes += chunk.length;
    if (this.sizeBytes > this.options.maxBytes) this.destroy(this.options.tooLarge());
    else if (!this.push(chunk)) this.source.pause();
  }
}
