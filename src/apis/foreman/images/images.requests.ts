import type {
  CreateProvisioningImage,
  ProvisioningImageField,
  UpdateProvisioningImage,
} from '../../../modules/provisioning/index.js';
import { Attributes, type Body, given } from '../body.js';
import type { SearchFields } from '../search/search-fields.js';

/** @see Foreman, app/models/image.rb, scoped_search */
export const IMAGE_FIELDS: SearchFields<ProvisioningImageField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  username: { type: 'text', bare: true },
  compute_resource: { type: 'text', bare: true },
  architecture: { type: 'integer' },
  operatingsystem: { type: 'integer' },
  user_data: { type: 'boolean' },
};

/** The compute resource is that of the path, whatever the body says. */
export function toCreateImage(body: Body): CreateProvisioningImage {
  const { computeResource: _, ...image } = toUpdateImage(body);
  return image;
}

export function toUpdateImage(body: Body): UpdateProvisioningImage {
  const image = new Attributes(body, 'image');
  return given({
    name: image.text('name'),
    username: image.text('username'),
    uuid: image.text('uuid'),
    password: image.text('password'),
    userData: image.flag('user_data'),
    iamRole: image.text('iam_role'),
    operatingSystem: image.reference('operatingsystem'),
    architecture: image.reference('architecture'),
    computeResource: image.reference('compute_resource'),
  });
}
