import type { FastifyRequest } from 'fastify';
import { pathOf } from '../shared/wire-exception.filter.js';

/** Where the face lies; what clients put before every path. */
export const MOUNT = '/parallelcluster';
/** Where it speaks as it did before the reference's first release. */
export const PREVIEW_MOUNT = `${MOUNT}/preview`;
/** What all paths of images begin with since the release. */
export const RELEASED_BASE = `${MOUNT}/v3/images`;
/** Both bases of what the preview had as well. */
export const BASES = [RELEASED_BASE, `${PREVIEW_MOUNT}/v3/images`];

/** How the reference speaks since its release, and how it spoke in the preview before. */
export type Dialect = 'released' | 'preview';

/** The dialect of the base that a request was sent to. */
export function dialectOf(request: Pick<FastifyRequest, 'originalUrl'>): Dialect {
  const path = pathOf(request.originalUrl);
  return path === PREVIEW_MOUNT || path.startsWith(`${PREVIEW_MOUNT}/`) ? 'preview' : 'released';
}
