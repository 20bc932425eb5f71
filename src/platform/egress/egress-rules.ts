import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { EgressConfig } from '../../config/config.js';
import { EgressRefusedError } from './egress.errors.js';
import { isPublicAddress, isWithin } from './address-ranges.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const LONGEST_URL = 2_048;
const WRITTEN = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?/i;

/** What the operator opened beyond the defaults: a network, or one place under its name or address. */
interface Opening {
  readonly host: string | null;
  readonly network: [Address, number] | null;
  readonly port: number | null;
}

/** Which addresses that a user or a remote answer chose may be asked. No I/O: names are judged when they resolve. */
export class EgressRules {
  private readonly openings: readonly Opening[];

  constructor(private readonly config: Pick<EgressConfig, 'schemes' | 'hosts' | 'ports' | 'openings'>) {
    this.openings = config.openings.map((opening) => ({
      host: 'cidr' in opening || isIP(opening.host) > 0 ? null : opening.host,
      network: networkOf(opening),
      port: 'cidr' in opening ? null : opening.port,
    }));
  }

  /**
   * The rules on scheme, port, host and, where the host is an address, on that.
   *
   * @param base where a relative address (of a redirect) starts from
   * @throws EgressRefusedError
   */
  check(written: string, base?: URL): URL {
    const url = this.read(written, base);
    const host = hostOf(url);
    const opened = this.openings.some((opening) => opening.port === portOf(url) && names(opening, host));
    const refuse = (reason: string): EgressRefusedError => new EgressRefusedError(reason, { host });
    if (!opened && !listed(this.config.hosts, (entry) => matches(entry, host))) throw refuse(`the host ${host}`);
    if (!opened && !listed(this.config.ports, (port) => port === portOf(url))) throw refuse(`the port ${portOf(url)}`);
    if (!opened && (host === 'localhost' || host.endsWith('.localhost'))) throw refuse('it is on this machine');
    if (isIP(host) > 0 && !this.mayConnect(url, host)) throw refuse(`${host} is no public address`);
    return url;
  }

  /**
   * What holds for every address, the operator's own too: that it says one thing only.
   * @throws EgressRefusedError
   */
  read(written: string, base?: URL): URL {
    if (written.length > LONGEST_URL) throw new EgressRefusedError(`it has more than ${LONGEST_URL} characters`);
    // A parser drops or turns what others take as it is, and then two of them see two hosts.
    // eslint-disable-next-line no-control-regex
    if (/[\u0000-\u0020\u007f\\]/.test(written)) throw new EgressRefusedError('it has blanks or backslashes');
    const [, scheme, authority] = WRITTEN.exec(written)!;
    if (scheme !== undefined && !this.config.schemes.includes(scheme.toLowerCase())) {
      throw new EgressRefusedError(`the scheme ${scheme.slice(0, 20)}`);
    }
    if (scheme === undefined ? base === undefined || authority === '' : !authority) {
      throw new EgressRefusedError('it is not of the form scheme://host/path');
    }
    if (authority?.includes('@')) throw new EgressRefusedError('it has a user name or password');
    if (!URL.canParse(written, base?.href)) throw new EgressRefusedError('it is no URL');
    const url = new URL(written, base?.href);
    if (authority !== undefined && isDisguised(authority, url)) {
      throw new EgressRefusedError('its host is an address in disguise');
    }
    if (!this.config.schemes.includes(url.protocol.slice(0, -1))) {
      throw new EgressRefusedError(`the scheme ${url.protocol.slice(0, -1)}`);
    }
    url.hash = '';
    return url;
  }

  /** Whether a connection for this URL may go to this address, which its host is or resolves to. */
  mayConnect(url: URL, address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.parse(address);
    const host = hostOf(url);
    return (
      isPublicAddress(parsed) ||
      this.openings.some(
        (opening) =>
          (opening.port === null || opening.port === portOf(url)) &&
          (opening.network ? isWithin(parsed, opening.network) : opening.host === host),
      )
    );
  }
}

/** Where an allow-list stands, what is on it and nothing else; otherwise what is on no deny-list. */
function listed<T>(
  { allowed, denied }: { readonly allowed: readonly T[] | null; readonly denied: readonly T[] },
  isMeant: (entry: T) => boolean,
): boolean {
  return allowed === null ? !denied.some(isMeant) : allowed.some(isMeant);
}

/** Whether the place that was opened is this host as it is written. */
function names({ host: name, network }: Opening, host: string): boolean {
  if (network === null) return name === host;
  return isIP(host) > 0 && isWithin(ipaddr.parse(host), network);
}

function matches(entry: string, host: string): boolean {
  return entry.startsWith('*.') ? host.endsWith(entry.slice(1)) : host === entry;
}

/** Without the brackets of IPv6 and the dot that ends a full name. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** Decimal, octal, hexadecimal, shortened, full-width or percent-encoded: nobody honest writes an address so. */
function isDisguised(authority: string, url: URL): boolean {
  if (authority.includes('%')) return true;
  const host = authority.replace(/:\d*$/, '');
  return isIP(url.hostname) === 4 && host !== url.hostname;
}

function networkOf(opening: EgressConfig['openings'][number]): [Address, number] | null {
  if ('cidr' in opening) return ipaddr.parseCIDR(opening.cidr);
  if (isIP(opening.host) === 0) return null;
  const address = ipaddr.parse(opening.host);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
