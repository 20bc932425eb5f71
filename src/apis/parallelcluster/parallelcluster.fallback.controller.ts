import { All, Controller, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { RouteNotFoundError, WrongMethodError } from '../shared/requests/request-errors.js';
import { pathOf } from '../shared/wire-exception.filter.js';
import { dialectOf, MOUNT, PREVIEW_MOUNT } from './dialect.js';
import { ParallelClusterGuard } from './parallelcluster.guard.js';

/** What there is below both bases, and with which methods. */
const PATHS: ReadonlyArray<readonly [path: RegExp, methods: readonly string[]]> = [
  [/^\/v3\/images\/custom$/, ['GET', 'POST']],
  [/^\/v3\/images\/official$/, ['GET']],
  [/^\/v3\/images\/custom\/[^/]+$/, ['GET', 'DELETE']],
];
/** What the preview did not have. */
const RELEASED_PATHS: typeof PATHS = [
  ...PATHS,
  [/^\/v3\/images\/custom\/[^/]+\/(logstreams(\/[^/]+)?|stackevents)$/, ['GET']],
];

/** Everything that no other controller takes. Who is unknown is not told what there is. */
@Controller(MOUNT)
@UseGuards(ParallelClusterGuard)
export class ParallelClusterFallbackController {
  @All()
  refuseRoot(@Req() request: FastifyRequest): never {
    return this.refuse(request);
  }

  @All('*')
  refuse(@Req() { method, url }: FastifyRequest): never {
    const path = pathOf(url);
    const isPreview = dialectOf({ originalUrl: url }) === 'preview';
    const below = path.slice((isPreview ? PREVIEW_MOUNT : MOUNT).length);
    const known = (isPreview ? PATHS : RELEASED_PATHS).find(([form]) => form.test(below));
    if (known) throw new WrongMethodError(method, path, known[1]);
    throw new RouteNotFoundError(path);
  }
}
