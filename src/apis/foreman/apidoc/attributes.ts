import { flag, list, type Parameter, text } from './parameters.js';

// What may be written of each resource: for the description that clients read, and for the bodies of the OpenAPI document.

export const IMAGE_ATTRIBUTES: readonly Parameter[] = [
  text('name', '', { required: true }),
  text('username', '', { required: true }),
  text('uuid', 'Template ID in the compute resource', { required: true }),
  text('password', '', { nil: true }),
  text('compute_resource_id', 'ID of compute resource', { nil: true }),
  text('architecture_id', 'ID of architecture', { nil: true }),
  text('operatingsystem_id', 'ID of operating system', { nil: true }),
  flag('user_data', 'Whether or not the image supports user data', { nil: true }),
];

export const COMPUTE_RESOURCE_ATTRIBUTES: readonly Parameter[] = [
  text('name', '', { required: true }),
  text('provider', 'Kiln for the registry itself, any other word for a target that it does not know', {
    required: true,
  }),
  text('url', 'Address of the target, without credentials'),
  text('description', ''),
  list('location_ids', 'Replace locations with given ids'),
  list('organization_ids', 'Of no effect: a compute resource belongs to the organization in which it is made'),
];

export const OPERATING_SYSTEM_ATTRIBUTES: readonly Parameter[] = [
  text('name', '', { required: true }),
  text('major', '', { required: true }),
  text('minor', ''),
  text('description', ''),
  text('family', ''),
  text('release_name', ''),
  text('password_hash', 'Root password hash function to use'),
  list('architecture_ids', 'IDs of associated architectures'),
];

export const ARCHITECTURE_ATTRIBUTES: readonly Parameter[] = [text('name', '', { required: true })];

export const LOCATION_ATTRIBUTES: readonly Parameter[] = [
  text('name', '', { required: true }),
  text('description', ''),
];

export const ACCESS_TOKEN_ATTRIBUTES: readonly Parameter[] = [
  text('name', '', { required: true }),
  text('expires_at', 'Expiry Date'),
];
