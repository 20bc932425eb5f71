import { Text } from '../ims-fields.js';

/** Body of POST /v3/remote-build-nodes. */
export class CreateRemoteBuildNodeRequest {
  @Text(255)
  xname: string;
}
