import { ConflictError } from '../../../common/errors.js';

/** What has come to be since the image was deleted leaves no room for it. */
export class ImageRestoreConflictError extends ConflictError {
  override readonly code = 'images.restore_conflict';
  constructor(imageId: string, path: string) {
    super(`Image ${imageId} cannot come back: the link path ${path} is used by another image`, { imageId, path });
  }
}
