import { NotFoundError } from '../../common/errors.js';

/** The project has named no such node. */
export class RemoteNodeNotFoundError extends NotFoundError {
  override readonly code = 'nodes.not_found';
  constructor(xname: string) {
    super(`No node ${xname}`, { xname });
  }
}
