import { isStorable } from '../../platform/database/storable-text.js';
import { MalformedAddressError } from './artifacts.errors.js';

/** Names one object within a project. */
export interface Address {
  readonly bucket: string;
  readonly key: string;
}

const LONGEST_BUCKET_BYTES = 255;
/** As on S3. Moves below `deleted/` may make one a little longer. */
const LONGEST_KEY_BYTES = 1024;

/** Where a delete moves addresses. */
export const DELETED_PREFIX = 'deleted/';

/**
 * Reads `s3://bucket/key`. Everything behind the first slash after the bucket is the key, as it stands: nothing is
 * decoded, and neither `..` nor `?` has a meaning.
 *
 * @throws MalformedAddressError it is no such text
 */
export function parseAddress(text: string): Address {
  const match = /^s3:\/\/([^/]+)\/(.+)$/s.exec(text);
  if (!match) throw new MalformedAddressError(text, 'it must look like s3://bucket/key');
  const address = { bucket: match[1]!, key: match[2]! };
  checkAddress(address);
  return address;
}

/** @throws MalformedAddressError no object could have that address */
export function checkAddress(address: Address): void {
  const { bucket, key } = address;
  const refuse = (reason: string): never => {
    throw new MalformedAddressError(formatAddress(address), reason);
  };
  if (bucket === '' || bucket.includes('/')) refuse('the bucket is missing');
  if (key === '') refuse('the key is missing');
  if (Buffer.byteLength(bucket) > LONGEST_BUCKET_BYTES)
    refuse(`the bucket is longer than ${LONGEST_BUCKET_BYTES} bytes`);
  if (Buffer.byteLength(key) > LONGEST_KEY_BYTES) refuse(`the key is longer than ${LONGEST_KEY_BYTES} bytes`);
  if (!isStorable(bucket) || !isStorable(key)) refuse('it has characters that no address can have');
}

/** `s3://bucket/key`. */
export function formatAddress({ bucket, key }: Address): string {
  return `s3://${bucket}/${key}`;
}
