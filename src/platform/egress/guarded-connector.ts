import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { EgressRules } from './egress-rules.js';
import { EgressRefusedError } from './egress.errors.js';

/** Resolves a name to all its addresses, as `dns.lookup` with `all` does. */
export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Opens the connections of one URL, to no address that the rules refuse.
 *
 * The name is resolved once and only the addresses that were looked at are offered to the socket, so an answer that
 * changes between check and connect changes nothing; where the socket ended up is looked at again before a request is sent.
 */
export function guardedConnector(
  url: URL,
  rules: EgressRules,
  lookup: LookupAll,
  connectTimeoutMs: number,
): buildConnector.connector {
  const refusal = (): EgressRefusedError =>
    new EgressRefusedError(`${url.hostname} leads to no public address`, { host: url.hostname });
  const mayConnect = (address: string | undefined): boolean => address !== undefined && rules.mayConnect(url, address);

  const checkedLookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const open = addresses.filter(({ address }) => mayConnect(address));
      if (open.length === 0) return callback(refusal(), []);
      if (options.all) callback(null, open);
      else callback(null, open[0]!.address, open[0]!.family);
    });
  };
  const connect = plainConnector(connectTimeoutMs, checkedLookup);

  return (options, callback) => {
    // A host that is an address is never looked up.
    if (isIP(options.hostname) > 0 && !mayConnect(options.hostname)) return callback(refusal(), null);
    connect(options, (error, socket) => {
      if (error) return callback(error, null);
      if (mayConnect(socket.remoteAddress)) return callback(null, socket);
      socket.destroy();
      callback(refusal(), null);
    });
  };
}

/** Opens connections to where the operator said. */
export function plainConnector(connectTimeoutMs: number, lookup?: LookupFunction): buildConnector.connector {
  return buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    maxCachedSessions: 0,
    // Said here, so that no variable of the environment says otherwise.
    rejectUnauthorized: true,
    ...(lookup ? { lookup } : {}),
  });
}
