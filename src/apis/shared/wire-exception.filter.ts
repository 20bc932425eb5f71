import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KilnError } from '../../common/errors.js';
import { Log } from '../../platform/logging/log.js';
import type { Face, WireReply } from './face.js';
import { FaceRegistry } from './face-registry.js';
import { sendWire } from './connections/lingering-reply.js';
import {
  BodyTooLargeError,
  MalformedRequestError,
  RouteNotFoundError,
  UnsupportedMediaTypeError,
  WrongMethodError,
} from './requests/request-errors.js';
import { RouteTable } from './route-table.js';

/** Answers everything that is thrown, by anybody, in the dialect of the face that the path belongs to. */
@Catch()
export class WireExceptionFilter implements ExceptionFilter {
  constructor(
    private readonly faces: FaceRegistry,
    private readonly routes: RouteTable,
    private readonly log: Log,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    // A client that hung up in the middle of an answer gets no second one.
    if (reply.raw.headersSent || reply.sent) {
      reply.raw.destroy();
      return;
    }
    sendWire(request, reply, this.render(thrown, request));
  }

  private render(thrown: unknown, request: FastifyRequest): WireReply {
    const face = this.faces.forPath(pathOf(request.originalUrl));
    const error = this.toKilnError(thrown, request, face);
    if (error) return withRetryAfter(face.renderError(error, request), error);
    this.log.error('a request failed unexpectedly', {
      error: thrown,
      method: request.method,
      path: pathOf(request.url),
    });
    return face.renderBug(String(request.id), request);
  }

  private toKilnError(thrown: unknown, request: FastifyRequest, face: Face): KilnError | null {
    if (thrown instanceof KilnError) return thrown;
    const status =
      thrown instanceof HttpException ? thrown.getStatus() : (thrown as { statusCode?: unknown }).statusCode;
    switch (status) {
      // Said of files that the documentation's server does not give out; to others they do not exist.
      case 403:
      case 404:
        return this.unroutable(request);
      case 413:
        return new BodyTooLargeError(face.bodyLimitBytes);
      case 415:
        // It is none. Where bytes are taken as they come, any would do.
        return new UnsupportedMediaTypeError(request.headers['content-type'], [
          face.bodyMode(request.method, pathOf(request.url)) === 'stream' ? 'a media type' : 'application/json',
        ]);
      case 400:
        return new MalformedRequestError((thrown as Error).message, {}, { cause: thrown });
      default:
        return null;
    }
  }

  private unroutable(request: FastifyRequest): KilnError {
    const path = pathOf(request.url);
    const allow = this.routes.methodsOf(path);
    // An empty last segment matches a parameter in the table, but not in the router.
    const known = allow.length > 0 && !allow.includes(request.method);
    return known ? new WrongMethodError(request.method, path, allow) : new RouteNotFoundError(path);
  }
}

/** Not of any dialect: HTTP's own word for when to come back. */
function withRetryAfter(reply: WireReply, { details }: KilnError): WireReply {
  const { retryAfterSeconds } = details;
  if (typeof retryAfterSeconds !== 'number') return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(retryAfterSeconds) } };
}

/** The path of a request target, without the query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
