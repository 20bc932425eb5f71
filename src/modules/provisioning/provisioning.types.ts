import type { Mention } from './image-mentions.repository.js';
import type { RowKey } from './row-key.js';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type Architecture = Row;
export type ArchitectureField = 'id' | 'name';

/** An architecture with what refers to it. */
export interface ArchitectureDetail {
  readonly row: Architecture;
  readonly operatingSystems: readonly Mention[];
  readonly images: readonly Mention[];
}

/** A site of the deployment. */
export interface Location extends Row {
  readonly description: string | null;
}
export type LocationField = 'id' | 'name' | 'title';

export interface CreateLocation {
  readonly name: string;
  readonly description: string | null;
}

/** A project, as provisioning tools know it: by number. */
export interface Organization extends Row {
  readonly projectId: string;
  readonly description: string;
}
export type OrganizationField = 'id' | 'name' | 'title';

export interface OperatingSystem extends Row {
  readonly major: string;
  /** Empty: there is none. */
  readonly minor: string;
  readonly description: string | null;
  /** The description, else name and version; no two have the same. */
  readonly title: string;
  readonly family: string | null;
  readonly releaseName: string | null;
  readonly passwordHash: string | null;
}
export type OperatingSystemField = 'id' | 'name' | 'title' | 'major' | 'minor' | 'family';

/** An operating system with what it runs on, and what refers to it. */
export interface OperatingSystemDetail {
  readonly row: OperatingSystem;
  readonly architectures: readonly Mention[];
  readonly images: readonly Mention[];
}

export interface CreateOperatingSystem {
  readonly name: string;
  readonly major: string;
  readonly minor: string;
  readonly description: string | null;
  readonly family: string | null;
  readonly releaseName: string | null;
  readonly passwordHash: string | null;
  readonly architectureIds: readonly number[];
}

/** Where images are: the registry itself, or a named target that only the client's tool knows more of. */
export interface ComputeResource extends Row {
  readonly projectId: string;
  readonly projectNumber: number;
  readonly projectName: string;
  readonly provider: string;
  readonly description: string | null;
  readonly url: string | null;
  /** The registry, which every project has from the beginning. */
  readonly builtIn: boolean;
}
export type ComputeResourceField =
  'id' | 'name' | 'type' | 'location' | 'location_id' | 'organization' | 'organization_id';

export interface ComputeResourceDetail {
  readonly row: ComputeResource;
  readonly locations: readonly Location[];
  readonly images: readonly Mention[];
}

export interface CreateComputeResource {
  readonly name: string;
  readonly provider: string;
  readonly description: string | null;
  readonly url: string | null;
  /** Absent: the location in which it is asked for, or all of them. */
  readonly locationIds?: readonly number[];
}

/** The provider of compute resources whose images are those of the registry. */
export const REGISTRY_PROVIDER = 'Kiln';

/** A named reference to an image of a compute resource, with what a provisioning tool needs to use it. */
export interface ProvisioningImage extends Row {
  readonly projectId: string;
  readonly computeResourceId: number;
  readonly computeResourceName: string;
  readonly computeResourceProvider: string;
  readonly operatingSystemId: number;
  readonly operatingSystemTitle: string;
  readonly architectureId: number;
  readonly architectureName: string;
  readonly username: string;
  /** With the registry's own provider, the id of an image. */
  readonly uuid: string;
  readonly userData: boolean;
  readonly iamRole: string | null;
}
export type ProvisioningImageField =
  'id' | 'name' | 'username' | 'compute_resource' | 'architecture' | 'operatingsystem' | 'user_data';

/** What an image refers to: by number, by name, or not at all. */
export type Reference = { readonly id: number } | { readonly name: string } | null;

/** What may be written of a provisioning image. */
export interface ProvisioningImageAttributes {
  readonly name: string | null;
  readonly username: string | null;
  readonly uuid: string | null;
  /** Kept sealed and never shown; null: none. */
  readonly password: string | null;
  readonly userData: boolean;
  readonly iamRole: string | null;
  readonly operatingSystem: Reference;
  readonly architecture: Reference;
}

export type CreateProvisioningImage = Partial<ProvisioningImageAttributes>;

/** Absent attributes stay; another compute resource moves the image. */
export type UpdateProvisioningImage = Partial<ProvisioningImageAttributes & { readonly computeResource: Reference }>;

/** Whose images are listed. */
export interface ImageParent {
  readonly kind: 'computeResource' | 'operatingSystem' | 'architecture';
  readonly key: RowKey;
}

/** The part of a project that a request looks at; null: all of it. */
export interface Within {
  readonly locationId: number | null;
}

export const EVERYWHERE: Within = { locationId: null };
