import { Actor } from '../tenancy/index.js';

/** The actor as a reader of its project: administrators see the images of all, but bind those that one project sees. */
export function asReader({ id, name, projectId, projectName }: Actor): Actor {
  return Actor.user({ id, name, projectId, projectName, roles: ['reader'] });
}
