import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { KilnError } from '../../common/errors.js';
import type { ValidationMessage } from '../../modules/custom-images/index.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { allowHeader } from '../shared/problem.js';
import { type Dialect, dialectOf, MOUNT } from './dialect.js';
import { presentMessages } from './validation-messages.js';

const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  // The reference knows no 403: whoever may not is as good as unknown.
  forbidden: 401,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 404,
  too_large: 413,
  quota_exceeded: 429,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 400,
  unprocessable: 400,
  unavailable: 500,
} as const satisfies StatusTable;

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'parallelcluster.dry_run': 412,
  'images.protected': 400,
};

/** Faults of a build's own, of which the reference does not say that the request was bad. */
const BUILD_FAULTS: ReadonlySet<string> = new Set([
  'custom_images.configuration_invalid',
  'custom_images.name_too_long',
  // What no validator found, or none was to look at.
  'custom_images.parent_unknown',
  'artifacts.malformed_address',
  'jobs.object_missing',
  'jobs.scripts',
  'jobs.source',
]);

/** The image operations of the AWS ParallelCluster API, in two dialects. */
@Injectable()
export class ParallelClusterFace extends Face {
  override readonly name = 'parallelcluster';
  override readonly title = 'AWS ParallelCluster API: images';
  override readonly statusesOfCodes = Object.values(STATUS_BY_CODE);
  override readonly mounts = [MOUNT];
  override readonly serviceType = 'parallelcluster';
  override readonly takesSignatures = true;
  override readonly requestIdHeader = 'x-amzn-requestid';

  override renderError(error: KilnError, request: FastifyRequest): WireReply {
    const status = STATUS_BY_CODE[error.code] ?? STATUS[error.kind];
    const message = status === 400 && !BUILD_FAULTS.has(error.code) ? `Bad Request: ${error.message}` : error.message;
    return reply(
      status,
      { message, ...findings(error, status, dialectOf(request)) },
      {
        ...allowHeader(error.details),
        ...(status === 401 ? { 'www-authenticate': 'AWS4-HMAC-SHA256, Bearer' } : {}),
      },
    );
  }

  override renderBug(requestId: string): WireReply {
    return reply(500, { message: `Internal server error; tell your operator the request id ${requestId}` });
  }
}

/** What validators found, under the name that it has in an answer of that status. */
function findings({ details }: KilnError, status: number, dialect: Dialect): object {
  const messages = details.messages as readonly ValidationMessage[] | undefined;
  if (messages === undefined || messages.length === 0) return {};
  if (status === 400) return { configurationValidationErrors: presentMessages(messages) };
  // The preview knew nothing but the message here.
  return dialect === 'preview' ? {} : { validationMessages: presentMessages(messages) };
}

function reply(status: number, body: object, headers: Record<string, string> = {}): WireReply {
  return { status, contentType: 'application/json', body: JSON.stringify(body), headers };
}
