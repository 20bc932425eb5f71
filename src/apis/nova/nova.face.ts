import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { KilnError } from '../../common/errors.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { PublicAddress } from '../shared/public-address.js';
import { pathOf } from '../shared/wire-exception.filter.js';
import { ComputeLinks } from './compute-links.js';
import { type ComputePath, NOVA_MOUNT, parseComputePath, routedPath } from './compute-path.js';
import { askedVersion, NEWEST, toldVersion } from './microversion.js';

const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  // The reference knows no 405 on these paths.
  method_not_allowed: 404,
  conflict: 409,
  gone: 404,
  too_large: 413,
  quota_exceeded: 413,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 400,
  unprocessable: 400,
  unavailable: 503,
} as const satisfies StatusTable;

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'nova.version_not_supported': 406,
  // Of one image, in contrast to those of the project.
  'images.quota_exceeded': 403,
};

/** Sentences of the reference, by code. */
const MESSAGES: Readonly<Record<string, string>> = {
  'images.not_found': 'Image not found.',
  'images.quota_exceeded': 'Image metadata limit exceeded',
  'request.unparsable_body': 'Malformed request body',
  'request.unsupported_media_type': 'Unsupported Content-Type',
  'request.route_not_found': 'The resource could not be found.',
  'request.method_not_allowed': 'The resource could not be found.',
};

/** @see nova.api.openstack.wsgi, Fault */
const FAULTS: Readonly<Record<number, string>> = {
  400: 'badRequest',
  403: 'forbidden',
  404: 'itemNotFound',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  503: 'serviceUnavailable',
};

/** The Compute API as far as it is about images: faults with a name, microversions, two bases. */
@Injectable()
export class NovaFace extends Face {
  override readonly name = 'nova';
  override readonly title = 'Compute API v2.1: images';
  override readonly mounts = [NOVA_MOUNT];
  override readonly serviceType = 'compute';
  override readonly requestIdHeader = 'x-openstack-request-id';
  override readonly otherBases = ['/v2.1/{project_id}', '/v2', '/v2/{project_id}'].map((base) => NOVA_MOUNT + base);
  override readonly documentedHeaders = {
    'OpenStack-API-Version': `Microversion, as \`compute ${NEWEST}\`; not looked at below /v2.`,
    'X-OpenStack-Nova-API-Version': `The same in an older form, as \`${NEWEST}\`.`,
  };
  override readonly statusesOfCodes = Object.values(STATUS_BY_CODE);

  constructor(private readonly address: PublicAddress) {
    super();
  }

  links(request: FastifyRequest): ComputeLinks {
    return new ComputeLinks(this.address.of(request), askedPath(request));
  }

  /** An id that came with the request is that of another service's request. */
  override requestId(_incoming: string | undefined, fresh: () => string): string {
    return `req-${fresh()}`;
  }

  override rewritePath(path: string): string {
    return routedPath(path);
  }

  override answerHeaders(request: FastifyRequest): Readonly<Record<string, string | string[]>> {
    const ids = { 'x-compute-request-id': String(request.id) };
    if (askedPath(request).base !== 'v2.1') return ids;
    const version = toldVersion(askedVersion(request.headers));
    return {
      ...ids,
      'openstack-api-version': `compute ${version}`,
      'x-openstack-nova-api-version': version,
      vary: ['OpenStack-API-Version', 'X-OpenStack-Nova-API-Version'],
    };
  }

  override renderError(error: KilnError, request: FastifyRequest): WireReply {
    const status = STATUS_BY_CODE[error.code] ?? STATUS[error.kind];
    if (status === 401) return this.unauthorized(request);
    const { retryAfterSeconds } = error.details;
    const retryAfter = typeof retryAfterSeconds === 'number' ? { retryAfter: String(retryAfterSeconds) } : {};
    return fault(status, MESSAGES[error.code] ?? forbiddance(error, request) ?? error.message, retryAfter);
  }

  override renderBug(requestId: string): WireReply {
    return fault(500, `The server has erred; tell your operator the request id ${requestId}`);
  }

  /** This one is the word of the middleware in front of the reference. */
  private unauthorized(request: FastifyRequest): WireReply {
    const message = 'The request you have made requires authentication.';
    return {
      status: 401,
      contentType: 'application/json',
      body: JSON.stringify({ error: { code: 401, title: 'Unauthorized', message } }),
      headers: { 'www-authenticate': `Keystone uri="${this.address.identityOf(request)}"` },
    };
  }
}

/** The path as the client wrote it. */
export function askedPath(request: FastifyRequest): ComputePath {
  return parseComputePath(pathOf(request.originalUrl));
}

function fault(code: number, message: string, more: object = {}): WireReply {
  const name = FAULTS[code] ?? 'computeFault';
  return {
    status: code,
    contentType: 'application/json',
    body: JSON.stringify({ [name]: { message, code, ...more } }),
  };
}

/** Why something may not be done to one image; the reference tells no more than that. Null: it is about something else. */
function forbiddance({ kind }: KilnError, request: FastifyRequest): string | null {
  const { imageId, key } = (request.params ?? {}) as { imageId?: string; key?: string };
  if (kind !== 'forbidden' || imageId === undefined) return null;
  if (request.method === 'DELETE' && key === undefined) return 'You are not allowed to delete the image.';
  return `Not authorized for image ${imageId}.`;
}
