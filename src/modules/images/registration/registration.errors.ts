import { ConflictError, InvalidError, UnprocessableError } from '../../../common/errors.js';

/** Another live image of the project has that manifest. */
export class ImageLinkTakenError extends UnprocessableError {
  override readonly code = 'images.link_taken';
  constructor(path: string) {
    super(`The link path ${path} is used by another image`, { path });
  }
}

/** An image keeps the manifest, and the bytes, that it has. */
export class ImageLinkFixedError extends ConflictError {
  override readonly code = 'images.link_fixed';
  constructor(imageId: string, reason: string) {
    super(`The link of image ${imageId} cannot be set: ${reason}`, { imageId });
  }
}

/** Nothing lies where the manifest, or an artifact that it names, should be. */
export class ImageObjectMissingError extends UnprocessableError {
  override readonly code = 'images.object_missing';
  constructor(path: string) {
    super(`There is no object at ${path}`, { path });
  }
}

/** The manifest is not one. */
export class ManifestInvalidError extends UnprocessableError {
  override readonly code = 'images.manifest_invalid';
  constructor(path: string, reason: string) {
    super(`The manifest ${path} cannot be used: ${reason}`, { path });
  }
}

/** So large that it can be no manifest. */
export class ManifestTooLargeError extends InvalidError {
  override readonly code = 'images.manifest_too_large';
  constructor(path: string, limitBytes: number) {
    super(`The manifest ${path} is too large: it must have fewer than ${limitBytes} bytes`, { path, limitBytes });
  }
}

/** An image has exactly one root file system. */
export class ManifestRootfsError extends InvalidError {
  override readonly code = 'images.manifest_without_one_rootfs';
  constructor(path: string, count: number) {
    super(`The manifest ${path} must name exactly one root file system, not ${count}`, { path, count });
  }
}
