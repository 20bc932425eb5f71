import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { KilnError } from '../../common/errors.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { allowHeader } from '../shared/problem.js';
import { PublicAddress } from '../shared/public-address.js';

/** Where identity is mounted. */
const IDENTITY_MOUNT = '/identity';

const STATUS = {
  invalid: 400,
  unprocessable: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  quota_exceeded: 413,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 416,
  unavailable: 503,
} as const satisfies StatusTable;

/** Keystone says this for every reason, so that nobody learns which. */
const UNAUTHENTICATED = 'The request you have made requires authentication.';

/** Keystone v3 as its clients see it. */
@Injectable()
export class IdentityFace extends Face {
  override readonly name = 'identity';
  override readonly title = 'Identity API v3';
  override readonly mounts = [IDENTITY_MOUNT];
  override readonly serviceType = 'identity';
  override readonly requestIdHeader = 'x-openstack-request-id';

  constructor(private readonly address: PublicAddress) {
    super();
  }

  /** What every link of this face starts with. */
  base(request: FastifyRequest): string {
    return `${this.address.of(request)}${IDENTITY_MOUNT}`;
  }

  /** Keystone gives every request an id of its own, whatever the client sent. */
  override requestId(_incoming: string | undefined, fresh: () => string): string {
    return `req-${fresh()}`;
  }

  override rewritePath(path: string): string {
    return path.replace(/\/+$/, '');
  }

  override renderError(error: KilnError, request: FastifyRequest): WireReply {
    const status = STATUS[error.kind];
    if (status !== 401) return reply(status, error.message, { headers: allowHeader(error.details) });
    return reply(status, UNAUTHENTICATED, {
      headers: { 'www-authenticate': `Keystone uri="${this.base(request)}/v3"` },
      // With an unsupported method Keystone says which ones there are.
      members: 'methods' in error.details ? { identity: { methods: error.details.methods } } : {},
    });
  }

  override renderBug(requestId: string): WireReply {
    return reply(
      500,
      `An unexpected error prevented the server from fulfilling your request; tell your operator the id ${requestId}.`,
    );
  }
}

function reply(
  code: number,
  message: string,
  more: { headers?: Record<string, string>; members?: Record<string, unknown> } = {},
): WireReply {
  return {
    status: code,
    contentType: 'application/json',
    body: JSON.stringify({ error: { code, message, title: STATUS_CODES[code] ?? 'Error', ...more.members } }),
    headers: { vary: 'X-Auth-Token', ...more.headers },
  };
}
