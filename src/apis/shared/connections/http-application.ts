import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { runInRequest } from '../../../common/request-context.js';
import { Log } from '../../../platform/logging/log.js';
import { Metrics } from '../../../platform/telemetry/metrics.js';
import { FaceRegistry } from '../face-registry.js';
import { sendWire } from './lingering-reply.js';
import { MalformedRequestError } from '../requests/request-errors.js';
import { RouteTable } from '../route-table.js';
import { endStalledConnections } from './stalled-connections.js';
import { wholeBody } from './whole-body.js';
import { pathOf } from '../wire-exception.filter.js';

/**
 * A connection on which no byte moves for so long is closed. Nobody hears of a machine that lost its power or its network
 * in the middle of an upload, and what the upload holds would be held for ever.
 */
const SILENCE_MS = 15 * 60_000;

/** What differs from one place to the next. */
export interface HttpOptions {
  /** Addresses and networks of proxies that are believed when they say for whom they ask. */
  readonly trustedProxies?: readonly string[];
  readonly silenceMs?: number;
}

/**
 * The Fastify below Nest: request ids, one log line a request, and bodies as each face wants them.
 *
 * No body is parsed here. Faces differ in what they check first (a wrong media type, a missing record), so a controller
 * gets the raw Buffer, or the raw stream where its face says so, and parses it when it is that step's turn.
 */
export function createHttpAdapter(
  faces: FaceRegistry,
  routes: RouteTable,
  log: Log,
  metrics: Metrics,
  { trustedProxies = [], silenceMs = SILENCE_MS }: HttpOptions = {},
): FastifyAdapter {
  const adapter = new FastifyAdapter({
    exposeHeadRoutes: false,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    routerOptions: { maxParamLength: 5_000 },
    // Uploads are as long as they are; idle connections are ended by the keep-alive timeout.
    requestTimeout: 0,
    connectionTimeout: silenceMs,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    logger: false,
    genReqId: (raw: IncomingMessage) => {
      const face = faces.forPath(pathOf(raw.url ?? '/'));
      const incoming = raw.headers[face.requestIdHeader.toLowerCase()];
      return face.requestId(typeof incoming === 'string' ? incoming : undefined, () => randomUUID());
    },
    // Targets that the router cannot read never reach a route, nor the filter.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const face = faces.forPath(pathOf(request.raw.url ?? '/'));
      const wire = face.renderError(new MalformedRequestError(error.message, {}, { cause: error }), request);
      void reply.header(face.requestIdHeader, request.id).headers(face.answerHeaders(request));
      sendWire(request, reply, wire);
    },
    rewriteUrl: (raw: IncomingMessage) => {
      const url = raw.url ?? '/';
      const path = pathOf(url);
      const accept = typeof raw.headers.accept === 'string' ? raw.headers.accept : undefined;
      return faces.forPath(path).rewritePath(path, accept) + url.slice(path.length);
    },
  });
  const instance = adapter.getInstance<FastifyInstance>();
  routes.watch(instance);
  endStalledConnections(instance);
  takeRawBodies(instance, faces);
  addRequestHooks(instance, faces, log, metrics);
  return adapter;
}

function takeRawBodies(instance: FastifyInstance, faces: FaceRegistry): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('*', (request, payload, done) => {
    const face = faces.forPath(pathOf(request.originalUrl));
    if (face.bodyMode(request.method, pathOf(request.url)) === 'stream') {
      done(null, payload);
      return;
    }
    wholeBody(payload, face.bodyLimitBytes).then(
      (body) => done(null, body),
      (error: Error) => done(error),
    );
  });
}

function addRequestHooks(instance: FastifyInstance, faces: FaceRegistry, log: Log, metrics: Metrics): void {
  instance.addHook('onRequest', (request, reply, done) => {
    const face = faces.forPath(pathOf(request.originalUrl));
    void reply.header(face.requestIdHeader, request.id).headers(face.answerHeaders(request));
    runInRequest({ requestId: String(request.id) }, done);
  });
  instance.addHook('onResponse', (request, reply, done) => {
    const face = faces.forPath(pathOf(request.originalUrl)).name;
    metrics.observeRequest(face, request.method, reply.statusCode, reply.elapsedTime);
    log.info('request', requestFields(request, reply, face));
    done();
  });
}

function requestFields(request: FastifyRequest, reply: FastifyReply, face: string): Record<string, unknown> {
  const actor = (request as { actor?: { id: string; projectId: string | null } }).actor;
  return {
    face,
    operation: `${request.method} ${request.routeOptions.url ?? pathOf(request.url)}`,
    status: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime * 10) / 10,
    request_id: request.id,
    user_id: actor?.id,
    project_id: actor?.projectId,
  };
}
