import {
  ConflictError,
  ForbiddenError,
  GoneError,
  InvalidError,
  NotFoundError,
  QuotaExceededError,
  TooLargeError,
} from '../../common/errors.js';
import type { ImageStatus } from './image-status.js';

/** No image of that id, or none that the actor may see. */
export class ImageNotFoundError extends NotFoundError {
  override readonly code = 'images.not_found';
  constructor(imageId: string) {
    super(`No image found with ID ${imageId}`, { imageId });
  }
}

/** The actor sees the image, but its role does not allow this. */
export class ImageForbiddenError extends ForbiddenError {
  override readonly code = 'images.forbidden';
  constructor(imageId: string, action: string) {
    super(`You are not permitted to ${action} image ${imageId}`, { imageId, action });
  }
}

/** Protected images are deleted by nobody. */
export class ImageProtectedError extends ForbiddenError {
  override readonly code = 'images.protected';
  constructor(imageId: string) {
    super(`Image ${imageId} is protected and cannot be deleted`, { imageId });
  }
}

/** A record of the image's own project points at it. */
export class ImageInUseError extends ConflictError {
  override readonly code = 'images.in_use';
  constructor(imageId: string) {
    super(`Image ${imageId} is in use: a provisioning image points at it`, { imageId });
  }
}

/** The actor may not do this to any image: make one for somebody else, make one public. */
export class ImageActionForbiddenError extends ForbiddenError {
  override readonly code = 'images.action_forbidden';
  constructor(action: string) {
    super(`You are not permitted to ${action}`, { action });
  }
}

/** The id belongs or once belonged to an image; ids are never given out again. */
export class ImageIdTakenError extends ConflictError {
  override readonly code = 'images.id_taken';
  constructor(imageId: string) {
    super(`Image ID ${imageId} already exists!`, { imageId });
  }
}

/** The status of the image does not allow the step. */
export class ImageStatusConflictError extends ConflictError {
  override readonly code = 'images.status_conflict';
  constructor(imageId: string, from: ImageStatus, to: ImageStatus) {
    const hint = to === 'saving' ? '; data is uploaded only to an image that is queued' : '';
    super(`Image ${imageId} is ${from}, it cannot become ${to}${hint}`, { imageId, from, to });
  }
}

/** Only the files of active images are cached. */
export class ImageNotActiveError extends InvalidError {
  override readonly code = 'images.not_active';
  constructor(imageId: string, status: ImageStatus) {
    super(`Image ${imageId} is ${status}; only active images are cached`, { imageId, status });
  }
}

/** Bytes cannot be taken before both formats are known. */
export class ImageFormatsMissingError extends InvalidError {
  override readonly code = 'images.formats_missing';
  constructor(imageId: string) {
    super(`disk_format and container_format of image ${imageId} must be set before its data is uploaded`, { imageId });
  }
}

/** Attributes that are fixed once data is there or on its way. */
export class ImageFormatFixedError extends ForbiddenError {
  override readonly code = 'images.format_fixed';
  constructor(imageId: string, attribute: string) {
    super(`Attribute ${attribute} can only be changed while the image is queued`, { imageId, attribute });
  }
}

/** Only an image with data is taken out of use, or put back. */
export class ImageActivationError extends ForbiddenError {
  override readonly code = 'images.activation';
  constructor(imageId: string, action: string, status: ImageStatus) {
    super(`Image ${imageId} is ${status}; to ${action} it, it must be active or deactivated`, { imageId, status });
  }
}

/** The image cannot change hands while its bytes are arriving. */
export class ImageBusyError extends ConflictError {
  override readonly code = 'images.busy';
  constructor(imageId: string) {
    super(`The data of image ${imageId} is arriving; try again when that is done`, { imageId });
  }
}

/** The data could not be judged by what the image said before. */
export class ImageChangedError extends ConflictError {
  override readonly code = 'images.changed';
  constructor(imageId: string) {
    super(`Image ${imageId} was changed while the transfer of its data began; try again`, { imageId });
  }
}

/** The image was deleted while its data was arriving. */
export class ImageGoneError extends GoneError {
  override readonly code = 'images.gone';
  constructor(imageId: string) {
    super(`Image ${imageId} was deleted while its data arrived`, { imageId });
  }
}

/** Downloads of a deactivated image are for administrators. */
export class ImageDeactivatedError extends ForbiddenError {
  override readonly code = 'images.deactivated';
  constructor(imageId: string) {
    super(`Image ${imageId} is deactivated`, { imageId });
  }
}

/** A key that only Kiln writes. */
export class PropertyReservedError extends ForbiddenError {
  override readonly code = 'images.property_reserved';
  constructor(name: string) {
    super(`Property '${name}' is reserved and read-only`, { property: name });
  }
}

/** A property that the operator keeps to others. */
export class PropertyProtectedError extends ForbiddenError {
  override readonly code = 'images.property_protected';
  constructor(name: string) {
    super(`Property '${name.slice(0, 255)}' is protected`, { property: name });
  }
}

/** A key or value that no property can have. */
export class PropertyInvalidError extends InvalidError {
  override readonly code = 'images.property_invalid';
  constructor(name: string, reason: string) {
    super(`Property '${name.slice(0, 255)}': ${reason}`, { property: name });
  }
}

/** Too many properties, tags or members on one image. */
export class ImageQuotaExceededError extends QuotaExceededError {
  override readonly code = 'images.quota_exceeded';
  constructor(
    what: 'properties' | 'bytes of properties' | 'tags' | 'members' | 'locations',
    limit: number,
    asked: number,
  ) {
    super(`The limit of ${limit} ${what} on one image would be exceeded: there would be ${asked}. Remove some first`, {
      quantity: what,
      limit,
      used: asked,
    });
  }
}

/** The image has no such tag. */
export class TagNotFoundError extends NotFoundError {
  override readonly code = 'images.tag_not_found';
  constructor(imageId: string, tag: string) {
    super(`Image ${imageId} has no tag ${tag}`, { imageId, tag });
  }
}

/** Only shared images have members. */
export class ImageNotSharedError extends ForbiddenError {
  override readonly code = 'images.not_shared';
  constructor(imageId: string) {
    super('Only shared images have members.', { imageId });
  }
}

/** The image has no such member, or none that the actor may see. */
export class MemberNotFoundError extends NotFoundError {
  override readonly code = 'images.member_not_found';
  constructor(imageId: string, member: string) {
    super(`${member} is not a member of image ${imageId}`, { imageId, member });
  }
}

/** The image is shared with that project already. */
export class MemberExistsError extends ConflictError {
  override readonly code = 'images.member_exists';
  constructor(imageId: string, member: string) {
    super(`Image ${imageId} is already shared with ${member}`, { imageId, member });
  }
}

/** A page cannot start behind an image that is not there. */
export class ImageMarkerNotFoundError extends InvalidError {
  override readonly code = 'images.marker_not_found';
  constructor(marker: string) {
    super(`The marker ${marker.slice(0, 100)} is no image of this list`, { marker });
  }
}

/** A store that the configuration does not have. */
export class UnknownStoreError extends InvalidError {
  override readonly code = 'images.unknown_store';
  constructor(storeId: string) {
    super(`There is no store ${storeId.slice(0, 100)}`, { store: storeId });
  }
}

/** More bytes than any image may have. */
export class ImageTooLargeError extends TooLargeError {
  override readonly code = 'images.too_large';
  constructor(limitBytes: number) {
    super(`An image may have at most ${limitBytes} bytes`, { limitBytes });
  }
}
