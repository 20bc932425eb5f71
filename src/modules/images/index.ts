export {
  ImageContentUnsafeError,
  ImageFormatMismatchError,
  ImageSignatureMismatchError,
  ImageSignatureUnusableError,
} from './content/content.errors.js';
export { type ContentProbe, type ContentVerdict, ImageContentService } from './content/image-content.service.js';
export { type CacheTarget, ImageCacheService, type ImageCacheState } from './cache/image-cache.service.js';
export { ImageDataService, type ImageDownload, type ImageStore } from './data/image-data.service.js';
export { ImageRestoreConflictError } from './deleted/deleted-images.errors.js';
export { DeletedImagesService } from './deleted/deleted-images.service.js';
export type { DeletedImageQuery } from './deleted/deleted-images.types.js';
export { DeletedManifestsService } from './deleted/deleted-manifests.service.js';
export { Image } from './image.entity.js';
export {
  declaredFault,
  addProperties,
  checkPropertyRoom,
  IMAGE_MEMBERS_MAX,
  IMAGE_PROPERTIES_MAX,
  IMAGE_TAGS_MAX,
  isImageAttribute,
  isReservedProperty,
  OFFICIAL_OS_PROPERTY,
  type PropertyChange,
  replaceProperties,
} from './image-properties.js';
export { ImageActivationService } from './image-activation.service.js';
export { IMAGE_RULES, type ImageRule } from './image-rules.js';
export { ImageRulesModule } from './image-rules.module.js';
export { ImageRemovalService } from './image-removal.service.js';
export { hasData, IMAGE_STATUSES, type ImageStatus } from './image-status.js';
export { ImageImportsService } from './imports/image-imports.service.js';
export {
  ImportDigestsMissingError,
  ImportFormatsMissingError,
  ImportLockedError,
  ImportStagingError,
  ImportMethodOffError,
  ImportStatusError,
  ImportStoresInvalidError,
  ImportStoreUnknownError,
} from './imports/imports.errors.js';
export type { BegunImport, ImportResult, StoreChoice } from './imports/imports.types.js';
export { ImageStagingService } from './imports/image-staging.service.js';
export {
  ImageActionForbiddenError,
  ImageActivationError,
  ImageBusyError,
  ImageChangedError,
  ImageDeactivatedError,
  ImageForbiddenError,
  ImageFormatFixedError,
  ImageFormatsMissingError,
  ImageGoneError,
  ImageIdTakenError,
  ImageInUseError,
  ImageMarkerNotFoundError,
  ImageNotActiveError,
  ImageNotFoundError,
  ImageNotSharedError,
  ImageProtectedError,
  ImageQuotaExceededError,
  ImageStatusConflictError,
  ImageTooLargeError,
  MemberExistsError,
  MemberNotFoundError,
  PropertyInvalidError,
  PropertyProtectedError,
  PropertyReservedError,
  TagNotFoundError,
  UnknownStoreError,
} from './images.errors.js';
export { ImagesModule } from './images.module.js';
export { ImagesPolicy } from './images.policy.js';
export { ImagesService } from './images.service.js';
export {
  type CreateImage,
  IMAGE_SORT_KEYS,
  type ImageAttributes,
  type ImageFilter,
  type ImageOrigin,
  type ImageProperties,
  type ImagePage,
  type ImageQuery,
  type ImageScope,
  type ImageSortKey,
  type ImageStreamQuery,
  MEMBER_STATUSES,
  type MemberStatus,
  type NumberRange,
  type TimeRange,
  type UpdateImage,
  type UploadImage,
  VISIBILITIES,
  type Visibility,
} from './images.types.js';
export { type ExaminedBytes, ExaminedLocationsService } from './locations/examined-locations.service.js';
export { ImageCopiesService } from './locations/image-copies.service.js';
export { ImageLocationsService, type ShownLocation } from './locations/image-locations.service.js';
export type { GivenLocation, LocationChange, ValidationData } from './locations/location-changes.js';
export { LocationInvalidError, LocationMismatchError } from './locations/locations.errors.js';
export { WEB_STORE } from './locations/image-location.js';
export { ImageMember } from './members/image-member.entity.js';
export { ImageMembersService } from './members/image-members.service.js';
export { type OfficialImage, OfficialImagesService } from './official/official-images.service.js';
export { ImagePinsService } from './pins/image-pins.service.js';
export {
  type BuiltArtifact,
  type BuiltImage,
  BuiltImagesService,
  IMAGE_BUCKET,
} from './registration/built-images.service.js';
export { ImageManifestsService } from './registration/image-manifests.service.js';
export {
  type ImageLink,
  ImageRegistrationService,
  type RegisterImage,
} from './registration/image-registration.service.js';
export { type ImageRoot, ImageRootsService } from './registration/image-roots.service.js';
export {
  type ArtifactRole,
  type LinkedEntry,
  type ManifestEntry,
  readManifest,
  roleOf,
  typedEntries,
} from './registration/manifest.js';
export {
  ImageLinkFixedError,
  ImageLinkTakenError,
  ImageObjectMissingError,
  ManifestInvalidError,
  ManifestRootfsError,
  ManifestTooLargeError,
} from './registration/registration.errors.js';
