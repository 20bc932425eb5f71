const MOST_BYTES = 1024;
const MOST_SEGMENT_BYTES = 255;

/**
 * Refuses a key that some store could not hold or would misread. Keys are made by Kiln, so a bad one is a bug, and a
 * check here keeps that bug from becoming a path outside of the store.
 */
export function assertObjectKey(key: string): void {
  const segments = key.split('/');
  const bad =
    key.includes('\0') ||
    Buffer.byteLength(key) > MOST_BYTES ||
    segments.some(
      (segment) =>
        segment === '' || segment === '.' || segment === '..' || Buffer.byteLength(segment) > MOST_SEGMENT_BYTES,
    ) ||
    segments[0] === TEMPORARY_FOLDER;
  if (bad) throw new TypeError(`not an object key: ${JSON.stringify(key)}`);
}

/** Where a file store keeps unfinished writes, beside the objects; so no key may begin with it. */
export const TEMPORARY_FOLDER = '.tmp';
