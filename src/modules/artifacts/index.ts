export { type Address, DELETED_PREFIX, formatAddress, parseAddress } from './address.js';
export { Artifact, type ArtifactWithFile } from './artifact.entity.js';
export {
  AddressTakenError,
  ArtifactChangedError,
  ArtifactInUseError,
  ArtifactLinkError,
  ArtifactNotFoundError,
  ChecksumMismatchError,
  FileTooLargeError,
  MalformedAddressError,
  SizeMismatchError,
  StoredFileNotFoundError,
  WriteInterruptedError,
  WriteLeaseLostError,
} from './artifacts.errors.js';
export { ArtifactsModule } from './artifacts.module.js';
export {
  type ArtifactContent,
  ArtifactsService,
  type ArtifactUser,
  type ReferenceChecker,
} from './artifacts.service.js';
export { DeletedBytes, type DeletedKeeper } from './deleted-bytes.js';
export { type DownloadLink, DownloadLinks } from './download-links.js';
export { type Expectation, isOneOf } from './expectation.js';
export type { ByteProbe, StoreFile } from './file-writer.js';
export { type CompleteFile, type FileQuantity, StoredFile, type StoredFileState } from './stored-file.entity.js';
