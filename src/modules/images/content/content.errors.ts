import { InvalidError, UnsupportedError } from '../../../common/errors.js';

/** The data is of another format than the image says. */
export class ImageFormatMismatchError extends UnsupportedError {
  override readonly code = 'images.format_mismatch';
  constructor(imageId: string, declared: string, found: string | null) {
    const hint =
      found === null || found === 'qed' ? `convert it with qemu-img` : `set disk_format to ${found}, or convert it`;
    const data = found === null ? `not recognisably ${declared}` : found;
    super(`The disk_format of image ${imageId} is ${declared}, but the data is ${data}; ${hint}`, {
      imageId,
      declared,
      found,
    });
  }
}

/** Whoever opens such data reads other files than this one, or more than one should. */
export class ImageContentUnsafeError extends UnsupportedError {
  override readonly code = 'images.content_unsafe';
  constructor(imageId: string, fault: string, reason: string) {
    super(`Image ${imageId} cannot have this data: ${reason}`, { imageId, fault });
  }
}

/** The image names a signature that cannot be verified. */
export class ImageSignatureUnusableError extends InvalidError {
  override readonly code = 'images.signature_unusable';
  constructor(imageId: string, reason: string) {
    super(`The signature of image ${imageId} cannot be verified: ${reason}`, { imageId });
  }
}

/** The data is not what was signed. */
export class ImageSignatureMismatchError extends InvalidError {
  override readonly code = 'images.signature_mismatch';
  constructor(imageId: string) {
    super(
      `The data does not match the signature of image ${imageId}; sign this very file, or send the one that was signed`,
      {
        imageId,
      },
    );
  }
}
