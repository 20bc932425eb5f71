import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { KilnError } from '../../common/errors.js';
import { RecordInvalidError } from '../../modules/provisioning/index.js';
import { Face, type StatusTable, type WireReply } from '../shared/face.js';
import { UnparsableBodyError } from '../shared/requests/request-errors.js';
import { pathOf } from '../shared/wire-exception.filter.js';
import { Apidoc } from './apidoc/apidoc.js';
import { credentialsOf } from './credentials.js';
import { presentFaults } from './faults.js';
import { ContextNotFoundError } from './foreman.errors.js';
import { FOREMAN_MOUNT, FOREMAN_MOUNTS, resourceOf, routedPath } from './foreman-path.js';

/** Clients branch on it; the release of which the contract was taken. */
export const FOREMAN_VERSION = '3.12.0';

const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  // The reference knows no 405.
  method_not_allowed: 404,
  conflict: 422,
  gone: 404,
  too_large: 413,
  quota_exceeded: 422,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 400,
  unprocessable: 422,
  unavailable: 503,
} as const satisfies StatusTable;

/** What Ruby calls the reason, where clients are told. */
const CLASSES: Readonly<Record<string, string>> = {
  'foreman.search_not_supported': 'ScopedSearch::QueryNotSupported',
  'foreman.order_not_supported': 'ScopedSearch::QueryNotSupported',
  'foreman.parameter_invalid': 'Apipie::ParamInvalid',
  'foreman.parameter_missing': 'Apipie::ParamMissing',
};

/** Foreman, as far as it is about images and what they refer to. */
@Injectable()
export class ForemanFace extends Face {
  override readonly name = 'foreman';
  override readonly title = 'Foreman API v2';
  override readonly mounts = FOREMAN_MOUNTS;
  override readonly serviceType = 'foreman';
  override readonly takesBasic = true;
  override readonly otherBases = [`${FOREMAN_MOUNT}/api/v2`, '/api', '/api/v2'];
  override readonly requestIdHeader = 'x-request-id';
  override readonly singularErrors = [
    new RecordInvalidError('image', null, {}),
    new ContextNotFoundError('Location', '1'),
    new UnparsableBodyError('it is no JSON'),
  ];

  constructor(private readonly apidoc: Apidoc) {
    super();
  }

  override rewritePath(path: string): string {
    return routedPath(path);
  }

  /** The guard puts the organization and the location in the place of any. */
  override answerHeaders(): Readonly<Record<string, string>> {
    return {
      foreman_version: FOREMAN_VERSION,
      foreman_api_version: '2',
      foreman_current_organization: '; ANY',
      foreman_current_location: '; ANY',
      'apipie-checksum': this.apidoc.checksum,
    };
  }

  override renderError(error: KilnError, request: FastifyRequest): WireReply {
    const status = STATUS[error.kind];
    if (error.code === 'request.unparsable_body') {
      return json(status, { status, error: `There was a problem in the JSON you submitted: ${error.message}` });
    }
    if (error.code === 'foreman.context_not_found' || status === 503) return json(status, { message: error.message });
    return json(status, { error: this.describe(error, status, request) });
  }

  override renderBug(requestId: string): WireReply {
    return json(500, { error: { message: `Internal server error; tell your operator the id ${requestId}` } });
  }

  private describe(error: KilnError, status: number, request: FastifyRequest): object {
    if (error instanceof RecordInvalidError) return presentFaults(error);
    if (status === 401) return { message: refusalOf(error, request) };
    if (status === 403) return denial(String(error.details.action ?? 'access'));
    if (status === 404 && error.kind === 'not_found' && !error.code.startsWith('request.')) {
      const { id } = (request.params ?? {}) as { id?: string };
      return { message: `Resource ${resourceOf(pathOf(request.originalUrl))} not found by id '${id ?? ''}'` };
    }
    const { parameter } = error.details;
    return {
      message: error.message,
      ...(CLASSES[error.code] ? { class: CLASSES[error.code] } : {}),
      ...(error.code === 'foreman.parameter_missing' ? { parameter_name: parameter } : {}),
    };
  }
}

function refusalOf(error: KilnError, request: FastifyRequest): string {
  if (error.code === 'identity.sign_in_blocked') return error.message;
  const credentials = credentialsOf(request);
  return `Unable to authenticate user ${credentials?.kind === 'basic' ? credentials.login : ''}`;
}

function denial(permission: string) {
  return {
    message: 'Access denied',
    details: `Missing one of the required permissions: ${permission}`,
    missing_permissions: [permission],
  };
}

function json(status: number, body: object): WireReply {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}
