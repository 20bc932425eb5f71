import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { KilnError } from '../../common/errors.js';
import { type BodyMode, Face, type WireReply } from '../shared/face.js';
import { allowHeader, OWN_STATUS, problemReply } from '../shared/problem.js';

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'artifacts.malformed_address': 400,
  'artifacts.changed': 412,
};

/** Kiln's own: bytes at the addresses that images and recipes name, for users without an S3 client. */
@Injectable()
export class ArtifactsFace extends Face {
  override readonly name = 'artifacts';
  override readonly title = 'Artifacts';
  override readonly mounts = ['/artifacts'];
  override readonly serviceType = 'artifacts';
  override readonly requestIdHeader = 'x-request-id';
  override readonly statusesOfCodes = Object.values(STATUS_BY_CODE);

  override bodyMode(): BodyMode {
    return 'stream';
  }

  override renderError(error: KilnError): WireReply {
    const status = STATUS_BY_CODE[error.code] ?? OWN_STATUS[error.kind];
    const { sizeBytes } = error.details;
    return problemReply(status, STATUS_CODES[status] ?? 'Error', error.message, {
      headers: {
        ...allowHeader(error.details),
        ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
        ...(status === 416 && typeof sizeBytes === 'number' ? { 'content-range': `bytes */${sizeBytes}` } : {}),
      },
    });
  }

  override renderBug(requestId: string): WireReply {
    return problemReply(500, 'Internal Server Error', `Something went wrong; tell your operator the id ${requestId}`);
  }
}
