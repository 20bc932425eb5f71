import type { IncomingHttpHeaders } from 'node:http';
import { VersionMalformedError, VersionNotSupportedError } from './nova.errors.js';

/** What is served is 2.OLDEST to 2.NEWEST. The calls are gone in the newest ones, and clients are to see that. */
export const OLDEST = '2.1';
export const NEWEST = '2.39';

const FORM = /^[1-9]\d*\.(?:[1-9]\d*|0)$/;

/**
 * The microversion that a request asks for, in the client's words.
 * @see OpenStack API guidelines, "Microversion specification"
 */
export function askedVersion(headers: IncomingHttpHeaders): string {
  const asked = fromStandardHeader(headers) ?? fromHeaderOfNova(headers) ?? OLDEST;
  return asked === 'latest' ? NEWEST : asked;
}

/**
 * The minor of a version that is served.
 * @throws VersionMalformedError, VersionNotSupportedError
 */
export function minorOf(asked: string): number {
  if (!FORM.test(asked)) throw new VersionMalformedError(asked);
  const [major, minor] = asked.split('.').map(Number) as [number, number];
  const newest = Number(NEWEST.slice('2.'.length));
  if (major !== 2 || minor < 1 || minor > newest) throw new VersionNotSupportedError(asked, OLDEST, NEWEST);
  return minor;
}

/** What an answer says was used. As the reference, a version that is not served is told back to who asked for it. */
export function toldVersion(asked: string): string {
  return FORM.test(asked) ? asked : OLDEST;
}

/** May name several services; the last mention of this one counts. */
function fromStandardHeader(headers: IncomingHttpHeaders): string | undefined {
  return items(headers['openstack-api-version'])
    .map((item) => /^compute\s+(.*)$/i.exec(item)?.[1])
    .filter((version) => version !== undefined)
    .at(-1);
}

function fromHeaderOfNova(headers: IncomingHttpHeaders): string | undefined {
  return items(headers['x-openstack-nova-api-version']).at(-1);
}

function items(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  return [header]
    .flat()
    .flatMap((value) => value.split(','))
    .map((item) => item.trim());
}
