import type { IncomingHttpHeaders } from 'node:http';
import { InvalidError } from '../../common/errors.js';
import { type Artifact, type Expectation, isOneOf } from '../../modules/artifacts/index.js';

type Validators = Pick<Artifact, 'etag' | 'createdAt'>;

/** Of RFC 9110 §8.8.3. */
const ENTITY_TAGS = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;
const SECOND_MS = 1_000;

/** A condition that cannot be read must not be taken for one that holds. */
class MalformedConditionError extends InvalidError {
  override readonly code = 'artifacts.malformed_condition';
  constructor(name: string) {
    super(`${name} must be * or a list of entity tags, each in double quotes`);
  }
}

/**
 * What a client that writes wants to find.
 * @throws MalformedConditionError
 * @see RFC 9110 §13.1
 */
export function expectationOf(headers: IncomingHttpHeaders): Expectation {
  return { ...readExpectationOf(headers), absent: etagsOf('If-None-Match', headers['if-none-match'], true) };
}

/**
 * What a client that reads wants to find; it is no failure when that is what it has already, see `isKnown`.
 * @throws MalformedConditionError
 */
export function readExpectationOf(headers: IncomingHttpHeaders): Expectation {
  const present = etagsOf('If-Match', headers['if-match'], false);
  return { present, placedUntil: present === undefined ? endOf(headers['if-unmodified-since']) : undefined };
}

/**
 * Whether a client that reads has the bytes already.
 * @throws MalformedConditionError
 */
export function isKnown(headers: IncomingHttpHeaders, artifact: Validators): boolean {
  const etags = etagsOf('If-None-Match', headers['if-none-match'], true);
  if (etags !== undefined) return isOneOf(artifact, etags);
  const until = endOf(headers['if-modified-since']);
  return until !== undefined && artifact.createdAt <= until;
}

/**
 * Whether a part may be answered to `Range`: the rest that the client has is of the same bytes. A time never says so, since
 * two writes may fall into one second.
 * @see RFC 9110 §13.1.5
 */
export function mayBePart(headers: IncomingHttpHeaders, { etag }: Validators): boolean {
  const condition = headers['if-range'];
  return condition === undefined || condition === `"${etag}"`;
}

/** @param weakly whether a weak tag may match as well */
function etagsOf(name: string, header: string | undefined, weakly: boolean): 'any' | string[] | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return 'any';
  const tags = [...header.matchAll(ENTITY_TAGS)];
  if (tags.length === 0 || /[^\s,]/.test(header.replace(ENTITY_TAGS, ''))) throw new MalformedConditionError(name);
  return tags.filter(([, weak]) => weakly || weak === undefined).map(([, , etag]) => etag!);
}

/** The end of the second that is named; undefined: the header is no time, and then it must be ignored. */
function endOf(header: string | undefined): Date | undefined {
  // One of the three forms leaves out that it is GMT.
  const time = /^\w{3,9},? /.test(header ?? '') ? Date.parse(header!.replace(/( GMT)?$/, ' GMT')) : NaN;
  return Number.isNaN(time) ? undefined : new Date(time + SECOND_MS - 1);
}
