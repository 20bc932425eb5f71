import type { FastifyRequest } from 'fastify';
import type { Call } from '../../../modules/identity/index.js';
import { FaceRegistry } from '../face-registry.js';
import { pathOf } from '../wire-exception.filter.js';

/** What a request is about to do, as credentials may limit it. Rules name its path with or without the mount of the face. */
export function callOf(request: FastifyRequest, faces: FaceRegistry): Call {
  const path = pathOf(request.originalUrl);
  const face = faces.forPath(path);
  const mount = face.mounts.find((one) => path.startsWith(`${one}/`));
  const serviceToken = request.headers['x-service-token'];
  return {
    service: face.serviceType,
    method: request.method,
    paths: mount === undefined ? [path] : [path, path.slice(mount.length)],
    serviceToken: typeof serviceToken === 'string' && serviceToken.trim() !== '' ? serviceToken.trim() : null,
    lenient: face.decidesByUserToken,
  };
}
