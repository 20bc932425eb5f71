import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { UnauthenticatedError } from '../../../common/errors.js';

/** A request as it came over the wire, as far as it is signed. Header texts are one character a byte, as Node reads them. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, untouched. */
  readonly target: string;
  /** Names and values in turn, in their order. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** What a request says of its signature; that it is true is yet to be seen. */
export interface Signature {
  readonly access: string;
  /** `YYYYMMDDThhmmssZ`. */
  readonly timestamp: string;
  readonly region: string;
  /** `YYYYMMDD/region/execute-api/aws4_request`. */
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly securityToken: string | null;
}

/**
 * How the query may have been put into the signed text. Signers do not agree: some sign it as they send it, others decode and
 * encode it by RFC 3986, and one old client signs it decoded.
 */
export type QueryForm = 'raw' | 'rfc3986' | 'decoded';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'execute-api';
const TERMINATOR = 'aws4_request';
/** A request that is older, or newer, is refused; until then it may be repeated, as all operations may. */
const SKEW_MS = 5 * 60_000;

/** The signature is missing something, or is not good. */
export class SignatureError extends UnauthenticatedError {
  override readonly code = 'parallelcluster.signature';
}

/**
 * Reads the signature of a request and checks all that can be checked without the secret.
 *
 * @param regions for which may be signed; undefined: any
 * @throws SignatureError
 * @see AWS Signature Version 4, "Create a signed AWS API request"
 */
export function readSignature(request: SignedRequest, now: Date, regions: readonly string[] | undefined): Signature {
  const headers = collectHeaders(request.rawHeaders);
  const { credential, signedHeaders, signature } = readAuthorization(headers.get('authorization') ?? []);
  const [access, date, region, service, terminator, ...more] = credential.split('/');
  if (!access || !date || !region || service !== SERVICE || terminator !== TERMINATOR || more.length > 0) {
    throw new SignatureError(`The scope of the credential must be <date>/<region>/${SERVICE}/${TERMINATOR}`);
  }
  if (regions && !regions.includes(region)) throw new SignatureError(`Nothing is signed for the region ${region} here`);
  const dateHeader = headers.has('x-amz-date') ? 'x-amz-date' : 'date';
  const timestamp = readTimestamp(headers.get(dateHeader)?.[0] ?? '', now);
  if (timestamp.slice(0, date.length) !== date || date.length !== 'YYYYMMDD'.length)
    throw new SignatureError('The date of the credential is not that of the request');
  checkSignedHeaders(signedHeaders, headers, dateHeader);
  const securityToken = headers.get('x-amz-security-token')?.join(',') ?? null;
  const scope = [date, region, service, terminator].join('/');
  return { access, timestamp, region, scope, signedHeaders, signature, securityToken };
}

/** Whether a request was signed with a secret, its query in one of these forms; in constant time for each. */
export function isSignedWith(
  secret: string,
  found: Signature,
  request: SignedRequest,
  forms: readonly QueryForm[],
): boolean {
  const payloadHash = hash(request.body);
  const [announced] = collectHeaders(request.rawHeaders).get('x-amz-content-sha256') ?? [payloadHash];
  if (announced !== payloadHash) return false;
  const key = signingKey(secret, found.scope);
  const given = Buffer.from(found.signature, 'hex');
  return forms.some((form) => {
    const canonical = canonicalRequest(request, found.signedHeaders, form, payloadHash);
    const text = [ALGORITHM, found.timestamp, found.scope, hash(Buffer.from(canonical, 'latin1'))].join('\n');
    return timingSafeEqual(hmac(key, text), given);
  });
}

/** The text of which the hash is signed. One character a byte. */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  form: QueryForm,
  payloadHash: string,
): string {
  const [path = '', query = ''] = splitTarget(request.target);
  const headers = collectHeaders(request.rawHeaders);
  const lines = signedHeaders.map((name) => `${name}:${(headers.get(name) ?? []).map(fold).join(',')}`);
  return [
    request.method,
    path === '' ? '/' : path.split('/').map(encode).join('/'),
    canonicalQuery(query, form),
    ...lines,
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

function readAuthorization(found: readonly string[]) {
  if (found.length !== 1) throw new SignatureError('There must be one Authorization header');
  const [, list] = /^AWS4-HMAC-SHA256\s+(.+)$/.exec(found[0]!) ?? [];
  if (list === undefined) throw new SignatureError(`The signature must be of ${ALGORITHM}`);
  const parts = new Map(list.split(',').map((part) => part.trim().split(/=(.*)/s, 2) as [string, string | undefined]));
  const [credential, signedHeaders, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) =>
    parts.get(name),
  );
  if (!credential || !signedHeaders || !signature || parts.size !== 3 || list.split(',').length !== 3) {
    throw new SignatureError('The Authorization header must have Credential, SignedHeaders and Signature');
  }
  if (!/^[0-9a-f]{64}$/.test(signature)) throw new SignatureError('The signature must have 64 hexadecimal digits');
  return { credential, signedHeaders: signedHeaders.split(';'), signature };
}

function checkSignedHeaders(
  signed: readonly string[],
  headers: ReadonlyMap<string, readonly string[]>,
  dateHeader: string,
): void {
  const inOrder = signed.every((name, index) => index === 0 || signed[index - 1]! < name);
  if (!inOrder || signed.some((name) => name !== name.toLowerCase())) {
    throw new SignatureError('SignedHeaders must be in lower case and in order');
  }
  const needed = ['host', dateHeader, ...(headers.has('x-amz-security-token') ? ['x-amz-security-token'] : [])];
  const missing = needed.find((name) => !signed.includes(name)) ?? signed.find((name) => !headers.has(name));
  if (missing !== undefined) throw new SignatureError(`The header ${missing} must be sent and signed`);
}

/** The time of a request in the form that is signed. */
function readTimestamp(text: string, now: Date): string {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const time = match
    ? Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`)
    : Date.parse(text);
  if (Number.isNaN(time)) throw new SignatureError('X-Amz-Date must be like 20260309T110427Z');
  if (Math.abs(now.getTime() - time) > SKEW_MS) {
    throw new SignatureError(`The request was signed at ${text}, more than ${SKEW_MS / 60_000} minutes from now`);
  }
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function canonicalQuery(query: string, form: QueryForm): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s, 2);
      return [inForm(name, form), inForm(value, form)] as const;
    })
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function inForm(text: string, form: QueryForm): string {
  if (form === 'raw') return text;
  const decoded = decodeBytes(text.replaceAll('+', ' '));
  return form === 'decoded' ? decoded : encode(decoded);
}

function splitTarget(target: string): [string, string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

function collectHeaders(raw: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), raw[at + 1]!]);
  }
  return headers;
}

function fold(value: string): string {
  return value.trim().replace(/ +/g, ' ');
}

/** Percent-encodes every byte that RFC 3986 does not leave as it is. */
function encode(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9._~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function decodeBytes(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_escape, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function signingKey(secret: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
