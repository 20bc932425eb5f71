import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { KilnError } from '../../common/errors.js';
import { type BodyMode, Face, type WireReply } from '../shared/face.js';
import { allowHeader, OWN_STATUS } from '../shared/problem.js';

/** Kiln's own: where builder programs that run elsewhere get their source, bring results and tell how far they are. */
@Injectable()
export class BuilderFace extends Face {
  override readonly name = 'builder';
  override readonly title = 'Builder';
  override readonly mounts = ['/builder'];
  override readonly serviceType = 'builder';
  override readonly requestIdHeader = 'x-request-id';

  override bodyMode(method: string): BodyMode {
    return method === 'PUT' ? 'stream' : 'buffer';
  }

  /** A program reads it: the cause of a job that fails by it is this code and message. */
  override renderError(error: KilnError): WireReply {
    const status = OWN_STATUS[error.kind];
    return {
      status,
      contentType: 'application/json',
      body: JSON.stringify({ code: error.code, message: error.message }),
      headers: {
        ...allowHeader(error.details),
        ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      },
    };
  }

  override renderBug(requestId: string): WireReply {
    const message = `${STATUS_CODES[500]}; tell your operator the id ${requestId}`;
    return { status: 500, contentType: 'application/json', body: JSON.stringify({ code: 'internal', message }) };
  }
}
