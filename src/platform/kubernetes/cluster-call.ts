import { setTimeout as delay } from 'node:timers/promises';
import { ClusterRefusedError, ClusterUnavailableError } from './cluster.errors.js';

/** How often and how long a call is tried again; tests are less patient. */
export interface Patience {
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  readonly giveUpMs: number;
}

export const PATIENCE: Patience = { firstPauseMs: 250, longestPauseMs: 8_000, giveUpMs: 60_000 };

/** What the API answers to a call that it refuses. */
interface Refusal {
  readonly code: number;
  /** One word for programs, which tells apart what has one code: `AlreadyExists` and `Conflict`, for instance. */
  readonly reason: string | undefined;
  /** For people. */
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** Answers that say "later": too many requests, a server on its way up or down, a time-out within the cluster. */
const PASSING = [408, 429, 500, 502, 503, 504];

/**
 * Makes one call to the API, again while the cluster cannot be reached or says that it is busy (as long as it says, if it
 * does).
 *
 * @param doing for people: `creating Job x`
 * @throws ClusterUnavailableError patience is over
 * @throws ClusterRefusedError anything else that is not in `expected`
 * @returns null for an answer in `expected`
 */
export async function ask<T>(
  doing: string,
  call: () => Promise<T>,
  options: {
    readonly patience?: Patience;
    /** Codes, or reasons of `Status` objects. */
    readonly expected?: ReadonlyArray<number | string>;
    /** Answers that pass, beside those that always do. */
    readonly passing?: readonly number[];
    readonly signal?: AbortSignal;
  } = {},
): Promise<T | null> {
  const { firstPauseMs, longestPauseMs, giveUpMs } = options.patience ?? PATIENCE;
  const deadline = performance.now() + giveUpMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    options.signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal && options.expected?.some((each) => each === refusal.code || each === refusal.reason)) return null;
      const passes = refusal === undefined || [...PASSING, ...(options.passing ?? [])].includes(refusal.code);
      if (!passes) throw new ClusterRefusedError(doing, refusal.message, error);
      const wait = refusal?.retryAfterMs ?? pauseMs;
      if (performance.now() + wait > deadline) throw new ClusterUnavailableError(doing, error);
      await delay(wait, undefined, { signal: options.signal }).catch(() => options.signal?.throwIfAborted());
    }
  }
}

/** Undefined: there was no answer at all. */
function refusalOf(error: unknown): Refusal | undefined {
  const { code, statusCode, body, headers } = error as {
    code?: unknown;
    statusCode?: unknown;
    body?: unknown;
    headers?: Readonly<Record<string, string>>;
  };
  const status = typeof code === 'number' ? code : statusCode;
  if (typeof status !== 'number') return undefined;
  const seconds = Number(headers?.['retry-after']);
  const { reason, message } = readStatus(body);
  return {
    code: status,
    reason,
    message: message ?? `status ${status}`,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined,
  };
}

/** A `Status` object, whole or as text. */
function readStatus(body: unknown): { readonly reason?: string; readonly message?: string } {
  let status = body;
  if (typeof body === 'string') {
    try {
      status = JSON.parse(body);
    } catch {
      return { message: body.trim().split('\n')[0]?.slice(0, 300) || undefined };
    }
  }
  const { reason, message } = (status ?? {}) as { reason?: unknown; message?: unknown };
  return {
    reason: typeof reason === 'string' ? reason : undefined,
    message: typeof message === 'string' ? message.slice(0, 1_000) : undefined,
  };
}
