import type { FastifyRequest } from 'fastify';
import type { ErrorKind, KilnError } from '../../common/errors.js';

/** Every kind has a status in every face; a new kind does not compile until each face knows it. */
export type StatusTable = Readonly<Record<ErrorKind, number>>;

/** An answer as it goes over the wire. */
export interface WireReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How the body of a request is handed to its controller: whole, as a Buffer, or as the raw stream. */
export type BodyMode = 'buffer' | 'stream';

/**
 * One API as its clients see it: where it is mounted and how it speaks when something goes wrong. The one global
 * filter asks the face which the path belongs to, also for bodies that do not parse and paths that do not exist.
 */
export abstract class Face {
  abstract readonly name: string;
  /** What people call it. */
  abstract readonly title: string;
  /** Path prefixes without a final slash: `/image`. */
  abstract readonly mounts: readonly string[];
  /** What the service catalogue, and access rules of application credentials, call this API. */
  abstract readonly serviceType: string;
  /** Header of the request id, in requests and answers. */
  abstract readonly requestIdHeader: string;
  /**
   * Whether the user's token alone decides: a service token that is not good is overlooked, and an identity service that
   * does not answer makes tokens worthless rather than the API unavailable.
   */
  readonly decidesByUserToken: boolean = false;
  /** Whether it only tells how this process is: nothing can be wrong with a request, and none is one too many. */
  readonly onlyTells: boolean = false;
  /** Whether HTTP Basic shows who somebody is, as tokens do. */
  readonly takesBasic: boolean = false;
  /** Whether requests may be signed with an access key: Signature Version 4. */
  readonly takesSignatures: boolean = false;
  /** Headers that its routes behind a credential look at, with what they mean; for the documentation. */
  readonly documentedHeaders: Readonly<Record<string, string>> = {};
  /** Other bases of the paths that the documentation tells, which are spelled with the first one. */
  readonly otherBases: readonly string[] = [];
  /** Statuses of single errors that no kind as a whole has; for the documentation. */
  readonly statusesOfCodes: readonly number[] = [];
  /** Errors with bodies of another form than the rest of their kind; for the documentation. */
  readonly singularErrors: readonly KilnError[] = [];
  /** Largest body, in bytes, of a request that is not streamed. */
  readonly bodyLimitBytes: number = 1024 * 1024;

  /** An error of the domain, in this face's dialect. */
  abstract renderError(error: KilnError, request: FastifyRequest): WireReply;

  /** Something unexpected: says no more than the request id. */
  abstract renderBug(requestId: string, request: FastifyRequest): WireReply;

  /** Turns what came in the request id header (if anything usable) into the id of the request. */
  requestId(incoming: string | undefined, fresh: () => string): string {
    return incoming !== undefined && /^[\x21-\x7e]{1,128}$/.test(incoming) ? incoming : fresh();
  }

  /** Headers of every answer below the mounts, good or bad, beside that of the request id. */
  answerHeaders(_request: FastifyRequest): Readonly<Record<string, string | string[]>> {
    return {};
  }

  /** Rewrites a path before routing (`/v2.9/` to `/v2/`, a final slash away); the original stays in `originalUrl`. */
  rewritePath(path: string, _accept: string | undefined): string {
    return path;
  }

  bodyMode(_method: string, _path: string): BodyMode {
    return 'buffer';
  }
}
