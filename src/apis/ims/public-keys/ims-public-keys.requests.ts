import { Name, Text } from '../ims-fields.js';

/** Body of POST /v3/public-keys. The text is not checked to be a key: clients store what they like. */
export class CreatePublicKeyRequest {
  @Name()
  name: string;

  @Text(64 * 1024)
  public_key: string;
}
