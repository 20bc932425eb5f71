import type { ProvisioningImage } from '../../../modules/provisioning/index.js';
import { presentTimes } from '../times.js';

/** Providers whose images have a role of identity and access management. */
const ROLE_PROVIDERS: ReadonlySet<string> = new Set(['EC2']);

/** An image; the password is never shown. */
export function presentImage(image: ProvisioningImage) {
  return {
    operatingsystem_id: image.operatingSystemId,
    operatingsystem_name: image.operatingSystemTitle,
    compute_resource_id: image.computeResourceId,
    compute_resource_name: image.computeResourceName,
    architecture_id: image.architectureId,
    architecture_name: image.architectureName,
    uuid: image.uuid,
    username: image.username,
    ...presentTimes(image),
    id: image.id,
    name: image.name,
    // Every compute resource supports user data: a client that finds no such key would write it again and again.
    user_data: image.userData,
    ...(ROLE_PROVIDERS.has(image.computeResourceProvider) ? { iam_role: image.iamRole } : {}),
  };
}

/** What a delete answers: the record as it lay there, less its secrets. */
export function presentRemovedImage(image: ProvisioningImage) {
  return {
    id: image.id,
    operatingsystem_id: image.operatingSystemId,
    compute_resource_id: image.computeResourceId,
    architecture_id: image.architectureId,
    uuid: image.uuid,
    username: image.username,
    name: image.name,
    created_at: image.createdAt.toISOString(),
    updated_at: image.updatedAt.toISOString(),
    iam_role: null,
    user_data: image.userData,
    password: null,
  };
}
