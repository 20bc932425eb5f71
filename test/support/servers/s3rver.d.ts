declare module 's3rver' {
  import type { RequestListener } from 'node:http';

  /** The parts of s3rver that `startS3Server` uses; the package has no types of its own. */
  export default class S3rver {
    constructor(options: Record<string, unknown>);
    readonly logger: { readonly exceptions: { unhandle(): void }; close(): void };
    configureBuckets(): Promise<unknown>;
    callback(): RequestListener;
  }
}
