import type { FastifyRequest } from 'fastify';
import type { UploadImage } from '../../../modules/images/index.js';
import { UnsupportedMediaTypeError } from '../../shared/requests/request-errors.js';
import { RequestInvalidError } from '../glance.errors.js';

/** The one media type of bytes, both ways. */
export const DATA_TYPE = 'application/octet-stream';

/**
 * What a request that brings data says of it.
 * @throws UnsupportedMediaTypeError, RequestInvalidError
 */
export function readUpload(headers: FastifyRequest['headers']): UploadImage {
  if (headers['content-type']?.split(';')[0]!.trim().toLowerCase() !== DATA_TYPE) {
    throw new UnsupportedMediaTypeError(headers['content-type'], [DATA_TYPE]);
  }
  const storeId = headers['x-image-meta-store'];
  return { storeId: typeof storeId === 'string' ? storeId : undefined, sizeBytes: announcedSize(headers) };
}

/** What the sender says of the length; a body in chunks may come with a header of its own for it. */
function announcedSize(headers: FastifyRequest['headers']): number | undefined {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  const announced = headers['x-openstack-image-size'];
  if (announced === undefined) return undefined;
  if (typeof announced !== 'string' || !/^\d{1,15}$/.test(announced)) {
    throw new RequestInvalidError('x-openstack-image-size must be a number of bytes');
  }
  return Number(announced);
}
