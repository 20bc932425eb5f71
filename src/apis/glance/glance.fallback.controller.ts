import { All, Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { RouteNotFoundError, WrongMethodError } from '../shared/requests/request-errors.js';
import { pathOf } from '../shared/wire-exception.filter.js';
import { GLANCE_MOUNT } from './glance.face.js';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import { ApiExcludeController } from '@nestjs/swagger';

/** What each path takes. HEAD is not among it. */
const METHODS: readonly (readonly [path: RegExp, methods: readonly string[]])[] = [
  [/^\/images$/, ['GET', 'POST']],
  [/^\/images\/[^/]+$/, ['GET', 'PATCH', 'DELETE']],
  [/^\/images\/[^/]+\/file$/, ['GET', 'PUT']],
  [/^\/images\/[^/]+\/stage$/, ['PUT']],
  [/^\/images\/[^/]+\/import$/, ['POST']],
  [/^\/images\/[^/]+\/actions\/(de|re)activate$/, ['POST']],
  [/^\/images\/[^/]+\/tasks$/, ['GET']],
  [/^\/images\/[^/]+\/locations$/, ['GET', 'POST']],
  [/^\/images\/[^/]+\/tags\/[^/]+$/, ['PUT', 'DELETE']],
  [/^\/images\/[^/]+\/members$/, ['GET', 'POST']],
  [/^\/images\/[^/]+\/members\/[^/]+$/, ['GET', 'PUT', 'DELETE']],
  [/^\/schemas\/metadefs\/(namespace|object|resource_type|tag)s?$/, ['GET']],
  [/^\/schemas\/metadefs\/(property|properties)$/, ['GET']],
  [/^\/cache$/, ['GET', 'DELETE']],
  [/^\/cache\/(clean|prune)$/, ['POST']],
  [/^\/cache\/nodes\/[^/]+$/, ['GET']],
  [/^\/cache\/[^/]+$/, ['PUT', 'DELETE']],
  [/^\/metadefs\/resource_types$/, ['GET']],
  [/^\/metadefs\/namespaces$/, ['GET', 'POST']],
  [/^\/metadefs\/namespaces\/[^/]+$/, ['GET', 'PUT', 'DELETE']],
  [/^\/metadefs\/namespaces\/[^/]+\/resource_types$/, ['GET', 'POST']],
  [/^\/metadefs\/namespaces\/[^/]+\/resource_types\/[^/]+$/, ['DELETE']],
  [/^\/metadefs\/namespaces\/[^/]+\/(objects|properties|tags)$/, ['GET', 'POST', 'DELETE']],
  [/^\/metadefs\/namespaces\/[^/]+\/(objects|properties)\/[^/]+$/, ['GET', 'PUT', 'DELETE']],
  [/^\/metadefs\/namespaces\/[^/]+\/tags\/[^/]+$/, ['GET', 'POST', 'PUT', 'DELETE']],
  [/^\/schemas\/(image|images|member|members|task|tasks)$/, ['GET']],
  [/^\/tasks$/, ['GET', 'POST']],
  [/^\/tasks\/[^/]+$/, ['GET', 'DELETE']],
  [/^\/info\/usage$/, ['GET']],
  [/^\/info\/import$/, ['GET']],
  [/^\/info\/stores(\/detail)?$/, ['GET']],
  [/^\/stores\/[^/]+\/[^/]+$/, ['DELETE']],
];

/** Paths and methods that nobody serves: told to who has a token, since the reference asks for one first. */
@ApiExcludeController()
@Controller(GLANCE_MOUNT)
export class GlanceFallbackController {
  constructor(private readonly guard: TokenGuard) {}

  @All('v2/*')
  async refuse(@Req() request: AuthenticatedRequest, @Res() reply: FastifyReply): Promise<void> {
    // Asked by browsers before they send a token along.
    if (request.method === 'OPTIONS') {
      await reply.status(200).send();
      return;
    }
    await this.guard.authenticate(request);
    const path = pathOf(request.url).slice(`${GLANCE_MOUNT}/v2`.length);
    const methods = METHODS.find(([pattern]) => pattern.test(path))?.[1];
    throw methods ? new WrongMethodError(request.method, path, methods) : new RouteNotFoundError(path);
  }
}
