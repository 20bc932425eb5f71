import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { KilnError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { allowHeader, problemReply } from '../shared/problem.js';

const MOUNT = '/apis/ims';

const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 404,
  too_large: 413,
  quota_exceeded: 422,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 416,
  unprocessable: 422,
  unavailable: 503,
} as const satisfies StatusTable;

/** Errors of the domain for which this API has another status than for the rest of their kind. */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'images.protected': 409,
  'images.property_reserved': 422,
  'images.property_invalid': 422,
  'images.manifest_too_large': 400,
  'images.manifest_without_one_rootfs': 400,
  // Not ready, not alive: 500.
  'ims.not_ready': 500,
};

// Image Management Service v3, responses 404: some scripts search for this very sentence.
const RECORD_NOT_FOUND = 'Requested resource does not exist. Re-run request with valid ID.';
const ROUTE_NOT_FOUND = 'request.route_not_found';

/** The Image Management Service: every error is a problem document. */
@Injectable()
export class ImsFace extends Face {
  override readonly name = 'ims';
  override readonly title = 'Image Management Service v3 and v2';
  override readonly mounts: readonly string[];
  override readonly serviceType = 'ims';
  override readonly requestIdHeader = 'x-request-id';
  override readonly statusesOfCodes = Object.values(STATUS_BY_CODE);
  override readonly bodyLimitBytes = 1024 * 1024;

  constructor(private readonly config: Config) {
    super();
    const { prefix } = config.ims;
    this.mounts = prefix === undefined || prefix === MOUNT ? [MOUNT] : [MOUNT, prefix];
  }

  override rewritePath(path: string): string {
    const { prefix } = this.config.ims;
    const below = prefix !== undefined && (path === prefix || path.startsWith(`${prefix}/`));
    return below ? MOUNT + path.slice(prefix.length) : path;
  }

  override renderError(error: KilnError): WireReply {
    const status = STATUS_BY_CODE[error.code] ?? STATUS[error.kind];
    const { errors } = error.details;
    return problemReply(status, STATUS_CODES[status] ?? 'Error', detailOf(error), {
      headers: { ...allowHeader(error.details), ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}) },
      members: errors === undefined ? {} : { errors },
    });
  }

  override renderBug(requestId: string): WireReply {
    return problemReply(
      500,
      'Internal Server Error',
      `An internal error occurred. Re-running the request may or may not succeed. Request id: ${requestId}`,
    );
  }
}

function detailOf(error: KilnError): string {
  return error.kind === 'not_found' && error.code !== ROUTE_NOT_FOUND ? RECORD_NOT_FOUND : error.message;
}
