import { STATUS_CODES } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { KilnError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { type BodyMode, Face, type StatusTable, type WireReply } from '../shared/face.js';
import { allowHeader } from '../shared/problem.js';
import { PublicAddress } from '../shared/public-address.js';
import { minorVersions } from './discovery/versions.js';

/** Where the face lies; what clients put before every path. */
export const GLANCE_MOUNT = '/image';

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
  unprocessable: 400,
  unavailable: 503,
} as const satisfies StatusTable;

/** Where the reference's titles are not those of HTTP's own registry. */
const TITLES: Readonly<Record<number, string>> = {
  413: 'Request Entity Too Large',
  416: 'Requested Range Not Satisfiable',
};

const LONGEST_REQUEST_ID = 64;
const VERSION_IN_ACCEPT = /^application\/vnd\.openstack\.images-(v[\d.]+)(?:[+;,]|$)/;

/** Image API v2 as its clients see it: webob's error bodies, request ids that begin with `req-`, several prefixes. */
@Injectable()
export class GlanceFace extends Face {
  override readonly name = 'glance';
  override readonly title = 'Image API v2';
  override readonly mounts = [GLANCE_MOUNT];
  override readonly serviceType = 'image';
  // As the reference's middleware with `delay_auth_decision`.
  override readonly decidesByUserToken = true;
  override readonly requestIdHeader = 'x-openstack-request-id';

  /** The minors that are served, newest first. */
  readonly minors: readonly string[];
  private readonly prefixes: ReadonlySet<string>;

  constructor(
    private readonly address: PublicAddress,
    config: Config,
  ) {
    super();
    this.minors = minorVersions(config.images.cacheMaxBytes !== null);
    this.prefixes = new Set(['v2', ...this.minors]);
  }

  override renderError(error: KilnError, request: FastifyRequest): WireReply {
    const status = STATUS[error.kind];
    return renderFault(status, error.message, request.headers.accept, this.headersOf(error, request));
  }

  override renderBug(requestId: string, request: FastifyRequest): WireReply {
    return renderFault(
      500,
      `The server has erred; tell your operator the request id ${requestId}`,
      request.headers.accept,
    );
  }

  /** @see OpenStack API guidelines: an id that came with the request is taken over, with the prefix if it has none */
  override requestId(incoming: string | undefined, fresh: () => string): string {
    const usable = incoming !== undefined && /^[\x21-\x7e]+$/.test(incoming) && incoming.length <= LONGEST_REQUEST_ID;
    const id = usable ? incoming : fresh();
    return id.startsWith('req-') ? id : `req-${id}`;
  }

  /** Every listed minor is the same API; a path without version may name it in `Accept`. */
  override rewritePath(path: string, accept: string | undefined): string {
    const below = path.slice(GLANCE_MOUNT.length);
    const first = below.split('/', 2)[1] ?? '';
    if (this.prefixes.has(first)) return `${GLANCE_MOUNT}/v2${below.slice(1 + first.length)}`;
    const wanted = VERSION_IN_ACCEPT.exec(accept ?? '')?.[1];
    if (wanted !== undefined && this.prefixes.has(wanted) && first !== 'versions') {
      return `${GLANCE_MOUNT}/v2${below || '/'}`;
    }
    return below === '/' || below === '/versions/' ? path.slice(0, -1) : path;
  }

  override bodyMode(method: string, path: string): BodyMode {
    return method === 'PUT' && /\/(file|stage)$/.test(path) ? 'stream' : 'buffer';
  }

  private headersOf(error: KilnError, request: FastifyRequest): Record<string, string> {
    if (error.kind === 'unauthenticated') {
      return { 'www-authenticate': `Keystone uri="${this.address.identityOf(request)}"` };
    }
    const patchTypes = error.details.acceptPatch;
    if (Array.isArray(patchTypes)) return { 'accept-patch': patchTypes.join(', ') };
    return allowHeader(error.details);
  }
}

/** A fault as webob writes it: in HTML unless the client asks for something else. */
function renderFault(
  status: number,
  explanation: string,
  accept: string | undefined,
  headers?: Readonly<Record<string, string>>,
): WireReply {
  const title = TITLES[status] ?? STATUS_CODES[status] ?? 'Error';
  switch (preferredType(accept)) {
    case 'json': {
      const body = JSON.stringify({ message: explanation, code: `${status} ${title}`, title });
      return { status, contentType: 'application/json', body, headers };
    }
    case 'html':
      return { status, contentType: 'text/html; charset=UTF-8', body: htmlFault(status, title, explanation), headers };
    case 'text':
      return {
        status,
        contentType: 'text/plain; charset=UTF-8',
        body: `${status} ${title}\n\n${explanation}\n`,
        headers,
      };
  }
}

// One tag a line: glanceclient strips tags and joins the lines.
function htmlFault(status: number, title: string, explanation: string): string {
  return `<html>
 <head>
  <title>${status} ${title}</title>
 </head>
 <body>
  <h1>${status} ${title}</h1>
  ${escapeHtml(explanation)}<br /><br />



 </body>
</html>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#x27;');
}

/** The nested JSON that glanceclient expects is not what the reference sends, so JSON goes only to who asks for it. */
function preferredType(accept: string | undefined): 'html' | 'json' | 'text' {
  if (accept === undefined || accept.trim() === '') return 'html';
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    return { type, quality: Number.isFinite(quality) ? quality : 0 };
  });
  const quality = (type: string): number => {
    const [family] = type.split('/');
    const found =
      ranges.find((range) => range.type === type) ??
      ranges.find((range) => range.type === `${family}/*`) ??
      ranges.find((range) => range.type === '*/*');
    return found?.quality ?? 0;
  };
  const html = quality('text/html');
  const json = quality('application/json');
  if (html === 0 && json === 0) return 'text';
  return html >= json ? 'html' : 'json';
}
