import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { KilnError } from '../../common/errors.js';
import { Face, type WireReply } from '../shared/face.js';
import { allowHeader, OWN_STATUS, problemReply } from '../shared/problem.js';

/** What lies outside of every mount: health, metrics, documentation, and paths that nobody serves. */
@Injectable()
export class RootFace extends Face {
  override readonly name = 'root';
  override readonly title = 'Health and metrics';
  override readonly mounts = ['/healthz', '/metrics', '/docs'];
  override readonly serviceType = 'root';
  override readonly requestIdHeader = 'x-request-id';
  // An operator needs health and metrics most when there is too much to do.
  override readonly onlyTells = true;

  override rewritePath(path: string): string {
    return path === '/docs/' ? '/docs' : path;
  }

  override renderError(error: KilnError): WireReply {
    const status = OWN_STATUS[error.kind];
    return problemReply(status, STATUS_CODES[status] ?? 'Error', error.message, {
      headers: allowHeader(error.details),
    });
  }

  override renderBug(requestId: string): WireReply {
    return problemReply(500, 'Internal Server Error', `Something went wrong; tell your operator the id ${requestId}`);
  }
}
