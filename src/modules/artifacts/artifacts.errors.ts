import {
  ConflictError,
  InvalidError,
  NotFoundError,
  TooLargeError,
  UnauthenticatedError,
  UnavailableError,
  UnprocessableError,
} from '../../common/errors.js';

/** A text that is not the address of anything. */
export class MalformedAddressError extends UnprocessableError {
  override readonly code = 'artifacts.malformed_address';
  constructor(address: string, reason: string) {
    super(`${address.slice(0, 200)} is not an address: ${reason}`, { address });
  }
}

/** Nothing lies at that address of the project. */
export class ArtifactNotFoundError extends NotFoundError {
  override readonly code = 'artifacts.not_found';
  constructor(address: string) {
    super(`There is no object at ${address}`, { address });
  }
}

/** A link that opens nothing, or nothing any more. */
export class ArtifactLinkError extends UnauthenticatedError {
  override readonly code = 'artifacts.link';
  constructor(reason: string) {
    super(`The link cannot be used: ${reason}`);
  }
}

/** An image, a recipe or a job refers to the address, so what lies there stays as it is. */
export class ArtifactInUseError extends ConflictError {
  override readonly code = 'artifacts.in_use';
  constructor(address: string, user: string) {
    super(`${address} is used by ${user}`, { address, user });
  }
}

/** What lies at the address is not what its writer or reader expects there. */
export class ArtifactChangedError extends ConflictError {
  override readonly code = 'artifacts.changed';
  constructor(address: string) {
    super(`What is at ${address} is not what the request expects there`, { address });
  }
}

/** Something lies at the address already. */
export class AddressTakenError extends ConflictError {
  override readonly code = 'artifacts.address_taken';
  constructor(address: string) {
    super(`There is an object at ${address} already`, { address });
  }
}

/** No complete file of that id. */
export class StoredFileNotFoundError extends NotFoundError {
  override readonly code = 'artifacts.file_not_found';
  constructor(fileId: string) {
    super(`No stored file with id ${fileId}`, { fileId });
  }
}

/** More bytes than one file may have. */
export class FileTooLargeError extends TooLargeError {
  override readonly code = 'artifacts.file_too_large';
  constructor(limitBytes: number) {
    super(`The file may have at most ${limitBytes} bytes`, { limitBytes });
  }
}

/** The body was not as long as announced. */
export class SizeMismatchError extends InvalidError {
  override readonly code = 'artifacts.size_mismatch';
  constructor(announcedBytes: number, sizeBytes: number) {
    super(`${announcedBytes} bytes were announced, but ${sizeBytes} came`, { announcedBytes, sizeBytes });
  }
}

/** The bytes do not have the checksum that their sender announced. */
export class ChecksumMismatchError extends InvalidError {
  override readonly code = 'artifacts.checksum_mismatch';
  constructor(announced: string, found: string) {
    super(`The announced md5 is ${announced}, but the bytes that came have ${found}`, { announced, found });
  }
}

/** The sender went away before the last byte. */
export class WriteInterruptedError extends InvalidError {
  override readonly code = 'artifacts.write_interrupted';
  constructor(cause: unknown) {
    super('The body ended before its last byte', {}, { cause });
  }
}

/** The writer could not renew its lease in time, so the file was taken for abandoned. */
export class WriteLeaseLostError extends UnavailableError {
  override readonly code = 'artifacts.write_lease_lost';
  constructor(fileId: string) {
    super('The upload was interrupted by trouble with the database; send it again', { fileId });
  }
}
