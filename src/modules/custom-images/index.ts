export { accountNumberOf } from './account-number.js';
export { CustomImage, type Tag } from './custom-image.entity.js';
export type { CustomImageState } from './custom-image-state.js';
export * from './custom-images.errors.js';
export { CustomImageBuildsService } from './custom-image-builds.service.js';
export { type CustomImageLog, CustomImageLogsService } from './custom-image-logs.service.js';
export { CustomImageRemovalService } from './custom-image-removal.service.js';
export { CustomImagesModule } from './custom-images.module.js';
export { CustomImagesService } from './custom-images.service.js';
export {
  BUILDER_VERSION,
  type BuildAnswer,
  type BuildCustomImage,
  CUSTOM_IMAGE_FILTERS,
  CUSTOM_IMAGES_FACE,
  type CustomImageFilter,
  type CustomImagePage,
  type CustomImageQuery,
  type CustomImageView,
  type ListedCustomImage,
  LONGEST_NAME,
  type NameLength,
} from './custom-images.types.js';
export { OFFICIAL_SYSTEMS } from './official-os.js';
export { Regions } from './regions.js';
export { VALIDATION_LEVELS, type ValidationLevel, type ValidationMessage } from './validation/validation.js';
