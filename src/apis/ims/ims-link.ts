import { Matches } from 'class-validator';
import { Choice, Optional, Text } from './ims-fields.js';

/** Where a record's artifact lies, as clients write it. */
export class LinkRequest {
  @Text(4096)
  @Matches(/^s3:\/\/[^/]+\/[^]+$/, { message: 'path must look like s3://bucket/key' })
  path: string;

  @Optional()
  @Text(1024, { minimum: 0 })
  etag?: string;

  @Choice(['s3'])
  type: 's3';
}

/** Where a record's artifact lies, as clients read it. */
export interface WireLink {
  readonly path: string;
  readonly etag: string;
  readonly type: 's3';
}

/** Null when the record has none: the member is there all the same. */
export function presentLink(path: string | null, etag: string | null): WireLink | null {
  return path === null ? null : { path, etag: etag ?? '', type: 's3' };
}
