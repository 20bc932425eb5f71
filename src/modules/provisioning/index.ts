export { ArchitecturesService } from './architectures/architectures.service.js';
export { ComputeResourcesService } from './compute-resources/compute-resources.service.js';
export { FaultList } from './fault-list.js';
export { GivenRowsService } from './given-rows.service.js';
export type { Mention } from './image-mentions.repository.js';
export { ProvisioningImagesService } from './images/provisioning-images.service.js';
export type { Comparison, Condition, RowPage, RowQuery, SearchValue } from './listing/condition.js';
export { LocationsService } from './locations/locations.service.js';
export { OperatingSystemsService } from './operating-systems/operating-systems.service.js';
export { OrganizationsService } from './organizations/organizations.service.js';
export {
  type Fault,
  type Faults,
  type Noun,
  RecordInvalidError,
  ReferenceNotFoundError,
  RowNotFoundError,
} from './provisioning.errors.js';
export { ProvisioningModule } from './provisioning.module.js';
export {
  type Architecture,
  type ArchitectureDetail,
  type ArchitectureField,
  type ComputeResource,
  type ComputeResourceDetail,
  type ComputeResourceField,
  type CreateComputeResource,
  type CreateLocation,
  type CreateOperatingSystem,
  type CreateProvisioningImage,
  type ImageParent,
  type Location,
  type LocationField,
  type OperatingSystem,
  type OperatingSystemDetail,
  type OperatingSystemField,
  type Organization,
  type OrganizationField,
  type ProvisioningImage,
  type ProvisioningImageField,
  type Reference,
  REGISTRY_PROVIDER,
  type UpdateProvisioningImage,
  type Within,
} from './provisioning.types.js';
export type { RowKey } from './row-key.js';
