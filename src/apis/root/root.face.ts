import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { KilnError } from '../../common/errors.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { allowHeader, problemReply } from '../shared/problem.js';

const STATUS = {
  invalid: 400,
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
  unprocessable: 422,
  unavailable: 503,
} as const satisfies StatusTable;

/** What lies outside of every mount: health, metrics, documentation, and paths that nobody serves. */
@Injectable()
export class RootFace extends Face {
  override readonly name = 'root';
  override readonly title = 'Health and metrics';
  override readonly mounts = ['/healthz', '/metrics', '/docs'];
  override readonly serviceType = 'root';
  override readonly requestIdHeader = 'x-request-id';

  override renderError(error: KilnError): WireReply {
    const status = STATUS[error.kind];
    return problemReply(status, STATUS_CODES[status] ?? 'Error', error.message, {
      headers: allowHeader(error.details),
    });
  }

  override renderBug(requestId: string): WireReply {
    return problemReply(500, 'Internal Server Error', `Something went wrong; tell your operator the id ${requestId}`);
  }
}
