import { lookup as resolve } from 'node:dns';
import type { Readable } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { KilnError } from '../../common/errors.js';
import { PRODUCT_VERSION } from '../../common/product.js';
import type { EgressConfig } from '../../config/config.js';
import { EgressBody } from './egress-body.js';
import { EgressRules } from './egress-rules.js';
import { EgressFailedError, EgressTooLargeError } from './egress.errors.js';
import { guardedConnector, type LookupAll, plainConnector } from './guarded-connector.js';

/** How one address is asked. */
export interface EgressRequest {
  /** Gives up; the request or the body fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** For the host that is asked; a redirect to another one leaves them behind. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes `start` to `end`, both included. A server may answer with all of them and status 200. */
  readonly range?: { readonly start: number; readonly end: number };
  /** Longest body that is taken. */
  readonly maxBytes?: number;
  /** The address is the operator's word (of the service catalogue): only where a redirect leads is then checked. */
  readonly trusted?: boolean;
}

/** A successful answer: its status is 200, 206 or another of the two hundreds. */
export interface EgressReply {
  readonly status: number;
  /** Names in lower case; what came several times is joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** The length of the body as announced. */
  readonly sizeBytes: number | null;
  /** Where it came from in the end. */
  readonly url: string;
  /** As it was sent, nothing decompressed. Fails when it breaks off early. The caller consumes or destroys it. */
  readonly body: Readable;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What the reasons of failures are to a user, who is not told more than that of a network that is not his. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'does not exist',
  EAI_AGAIN: 'cannot be resolved now',
  ECONNREFUSED: 'refused the connection',
  UND_ERR_CONNECT_TIMEOUT: 'did not accept a connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'stopped sending',
};

/** One request under way: its time, its end, and the connection it has for itself. */
interface Trip {
  readonly request: EgressRequest;
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * The only way out for requests whose address a user or a remote answer chose.
 *
 * Each request, and each redirect of it, has a connection of its own which was opened for exactly that URL under the
 * rules. There are no cookies, no proxies, no reuse of connections.
 */
export class EgressClient {
  private readonly rules: EgressRules;

  /** @param lookup resolves names; the system's resolver unless a test brings its own */
  constructor(
    private readonly config: EgressConfig,
    private readonly lookup: LookupAll = resolve,
  ) {
    this.rules = new EgressRules(config);
  }

  /**
   * The rules on scheme, port, host and literal address. No I/O, so a name may still turn out to lead to a forbidden place.
   * @throws EgressRefusedError
   */
  check(url: string): URL {
    return this.rules.check(url);
  }

  /**
   * Asks for what an address has to give.
   *
   * @throws EgressRefusedError the address, one it redirects to, or where a name leads is not allowed
   * @throws EgressFailedError no connection, no success, too many redirects, or out of time; the body fails likewise
   * @throws EgressTooLargeError the announced length exceeds `maxBytes`; the body fails with it when none was announced
   */
  async get(address: string, request: EgressRequest = {}): Promise<EgressReply> {
    const first = request.trusted ? this.rules.read(address) : this.rules.check(address);
    const trip = this.begin(first, request);
    try {
      return await this.follow(first, trip);
    } catch (error) {
      trip.end();
      throw error;
    }
  }

  private begin(first: URL, request: EgressRequest): Trip {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new EgressFailedError(first.hostname, 'took too long')),
      Math.min(this.config.totalTimeoutMs, LONGEST_TIMER_MS),
    ).unref();
    return {
      request,
      signal: request.signal ? AbortSignal.any([request.signal, late.signal]) : late.signal,
      end: () => clearTimeout(timer),
    };
  }

  private async follow(first: URL, trip: Trip): Promise<EgressReply> {
    let url = first;
    // Once it has left the host that was trusted, it goes where others sent it.
    let trusted = trip.request.trusted === true;
    let ownHeaders = true;
    for (let redirects = 0; redirects <= this.config.redirectsMax; redirects += 1) {
      const { client, answer } = await this.ask(url, trip, trusted, ownHeaders);
      const location = REDIRECTS.has(answer.statusCode) ? textOf(answer.headers.location) : undefined;
      if (location === undefined) return this.take(url, trip, client, answer);
      answer.body.on('error', () => undefined);
      void client.destroy();
      const next = this.rules.read(location, url);
      const stays = next.origin === url.origin;
      trusted &&= stays;
      ownHeaders &&= stays;
      url = trusted ? next : this.rules.check(location, url);
    }
    throw new EgressFailedError(url.hostname, `redirected more than ${this.config.redirectsMax} times`);
  }

  private async ask(url: URL, trip: Trip, trusted: boolean, ownHeaders: boolean) {
    const { connectTimeoutMs, idleTimeoutMs } = this.config;
    const client = new Client(url.origin, {
      connect: trusted
        ? plainConnector(connectTimeoutMs)
        : guardedConnector(url, this.rules, this.lookup, connectTimeoutMs),
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      maxHeaderSize: 16_384,
      pipelining: 1,
    });
    const { range, headers } = trip.request;
    try {
      const answer = await client.request({
        method: 'GET',
        path: `${url.pathname}${url.search}`,
        headers: {
          'user-agent': `kiln/${PRODUCT_VERSION}`,
          accept: '*/*',
          'accept-encoding': 'identity',
          ...(range ? { range: `bytes=${range.start}-${range.end}` } : {}),
          ...(ownHeaders ? headers : {}),
        },
        signal: trip.signal,
      });
      return { client, answer };
    } catch (error) {
      void client.destroy();
      throw asFailure(url, error, trip);
    }
  }

  private take(url: URL, trip: Trip, client: Client, answer: Dispatcher.ResponseData): EgressReply {
    const { statusCode: status } = answer;
    const { maxBytes = Infinity } = trip.request;
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), textOf(value) ?? '']),
    );
    const sizeBytes = /^\d+$/.test(headers['content-length'] ?? '') ? Number(headers['content-length']) : null;
    const body = new EgressBody(answer.body, {
      maxBytes,
      tooLarge: () => new EgressTooLargeError(url.hostname, maxBytes),
      failed: (error) => asFailure(url, error, trip),
      release: () => {
        trip.end();
        void client.destroy();
      },
    });
    let refusal: Error | null = null;
    if (status < 200 || status > 299) refusal = new EgressFailedError(url.hostname, `answered ${status}`, { status });
    else if (sizeBytes !== null && sizeBytes > maxBytes) refusal = new EgressTooLargeError(url.hostname, maxBytes);
    if (refusal) {
      body.destroy();
      throw refusal;
    }
    return { status, headers, sizeBytes, url: url.href, body };
  }
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Refusals stay what they are, and so does the reason of whoever gave up. */
function asFailure(url: URL, error: unknown, trip: Trip): Error {
  if (trip.signal.aborted) return trip.signal.reason instanceof Error ? trip.signal.reason : new Error('given up');
  if (error instanceof KilnError) return error;
  const code = String((error as { code?: unknown }).code);
  const reason =
    REASONS[code] ?? (code.startsWith('ERR_TLS') || code.includes('CERT') ? 'has no valid certificate' : 'broke off');
  return new EgressFailedError(url.hostname, reason, { cause: error });
}
