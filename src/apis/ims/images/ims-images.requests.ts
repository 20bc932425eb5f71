import { Choice, Name, Nested, Nullable, Optional } from '../ims-fields.js';
import { LinkRequest } from '../ims-link.js';
import { IMS_ARCHS, type ImsArch } from './ims-image-arch.js';

/** Body of POST /v3/images, without its metadata. */
export class CreateImageRequest {
  @Name()
  name: string;

  @Nullable()
  @Nested(() => LinkRequest)
  link?: LinkRequest | null;

  @Optional()
  @Choice(IMS_ARCHS)
  arch?: ImsArch;
}

/** Body of PATCH /v3/images/{id}, without its metadata. */
export class UpdateImageRequest {
  @Optional()
  @Nested(() => LinkRequest)
  link?: LinkRequest;

  @Optional()
  @Choice(IMS_ARCHS)
  arch?: ImsArch;
}
