import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BUILD_FAILURE_CODES,
  BuildFailedError,
  type BuildPhase,
  type BuiltRole,
  type ShellState,
} from '../../modules/jobs/builder.js';
import type { Address, ProgramOrder } from './order.js';

/** The job is in other hands, or has ended: there is nobody to build for. */
export class LeaseLostError extends Error {}

/** Kiln cannot be reached, or does not understand. */
export class KilnUnreachableError extends Error {}

/** The job is not this program's any more. */
const LOST: ReadonlySet<number> = new Set([401, 403, 404, 409, 410]);
const RETRY_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
const TOO_MANY_REQUESTS = 429;
/** How long nothing may be heard; a store may take its time to finish a large file. */
const SILENCE_MS = 600_000;
const ANSWER_BYTES = 65_536;

interface Reply {
  readonly status: number;
  readonly body: IncomingMessage;
}

/**
 * What the program gets from Kiln and tells it, by plain HTTP. No build ends because a report cannot be delivered: after a
 * while it is left out, and the log says so. What the build cannot do without is tried until a signal aborts.
 *
 * @see Image Management Service v3, states of a job
 */
export class Kiln {
  constructor(
    private readonly order: Pick<ProgramOrder, 'source' | 'upload' | 'report' | 'authorities'>,
    /** How long a report is worth the wait; an attempt that fails late is made once more at least. */
    private readonly giveUpMs: number,
    private readonly log: (text: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** @param until it is told before all else, however long that takes. @throws LeaseLostError */
  async phase(phase: BuildPhase, until?: AbortSignal): Promise<void> {
    await this.tell({ phase }, until);
  }

  /** @param until it is told before all else, however long that takes. @throws LeaseLostError */
  async shell(shell: ShellState, until?: AbortSignal): Promise<void> {
    await this.tell({ shell }, until);
  }

  /** One that is not heard is no loss. @throws LeaseLostError */
  async percent(percent: number): Promise<void> {
    const { report } = this.order;
    const reply = await this.send('POST', report.url, report.headers, Buffer.from(JSON.stringify({ percent }))).catch(
      () => null,
    );
    if (!reply) return;
    reply.body.resume();
    if (LOST.has(reply.status)) throw new LeaseLostError(`Kiln answered ${reply.status}`);
  }

  /** One attempt at the source, from its first byte. @throws LeaseLostError, KilnUnreachableError */
  async source(): Promise<Readable> {
    const { url, headers } = this.order.source;
    const { status, body } = await this.send('GET', url, headers);
    if (status === 200) return body;
    body.destroy();
    // An address that a store has signed is refused for other reasons than that the job is gone.
    const isKilns = headers.authorization !== undefined;
    if (isKilns && LOST.has(status)) throw new LeaseLostError(`Kiln answered ${status} to what is to be built`);
    throw new KilnUnreachableError(`it was answered with ${status}`);
  }

  /**
   * Hands a file over.
   * @returns its id
   * @throws BuildFailedError it is refused
   * @throws LeaseLostError, KilnUnreachableError, or the reason of `until`
   */
  async upload(role: BuiltRole, sizeBytes: number, open: () => Promise<Readable>, until: AbortSignal): Promise<string> {
    const { url, headers } = this.order.upload;
    const length = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const reply = await this.persist(
      async (signal) => this.send('PUT', `${url}/${role}`, { ...headers, ...length }, await open(), signal),
      `the ${role}`,
      until,
    );
    const answer = await readJson(reply.body);
    if (reply.status === 201 && typeof answer.fileId === 'string') return answer.fileId;
    throw refusal(reply.status, answer, role);
  }

  private async tell(report: object, until?: AbortSignal): Promise<void> {
    const { url, headers } = this.order.report;
    const text = Buffer.from(JSON.stringify(report));
    try {
      const send = (signal: AbortSignal) => this.send('POST', url, headers, text, signal);
      const { status, body } = await this.persist(send, 'a report', until);
      body.resume();
      if (status >= 300) throw new KilnUnreachableError(`a report was answered with ${status}`);
    } catch (error) {
      if (!(error instanceof KilnUnreachableError)) throw error;
      this.log(`kiln: ${error.message}; the build goes on\n`);
    }
  }

  /** Tries again while Kiln does not answer, or is not well: until it aborts, or else as long as a report is worth it. */
  private async persist(
    send: (signal: AbortSignal) => Promise<Reply>,
    what: string,
    until: AbortSignal | undefined,
  ): Promise<Reply> {
    const signal = until ? AbortSignal.any([this.signal, until]) : this.signal;
    let deadline: number | undefined;
    for (let retryMs = RETRY_MS; ; retryMs = Math.min(2 * retryMs, LONGEST_PAUSE_MS)) {
      const reply = await send(signal).catch((error: Error) => error);
      signal.throwIfAborted();
      let pauseMs = retryMs;
      if ('status' in reply) {
        if (LOST.has(reply.status)) {
          reply.body.destroy();
          throw new LeaseLostError(`Kiln answered ${reply.status} to ${what}`);
        }
        if (reply.status < 500 && reply.status !== TOO_MANY_REQUESTS) return reply;
        pauseMs = Math.max(retryMs, (Number(reply.body.headers['retry-after']) || 0) * 1_000);
        reply.body.destroy();
      } else if (reply instanceof BuildFailedError) throw reply;
      const why = `Kiln cannot be reached for ${what}: ${'status' in reply ? `it answered ${reply.status}` : reply.message}`;
      if (until === undefined) {
        deadline ??= Date.now() + this.giveUpMs;
        if (Date.now() + pauseMs > deadline) throw new KilnUnreachableError(why);
      } else if (retryMs === RETRY_MS) this.log(`kiln: ${why}; trying again\n`);
      await delay(pauseMs, undefined, { signal });
    }
  }

  private async send(
    method: string,
    url: string,
    headers: Address['headers'],
    body: Buffer | Readable | null = null,
    signal = this.signal,
  ): Promise<Reply> {
    const secure = url.startsWith('https:');
    const start = secure ? httpsRequest : httpRequest;
    const trust = secure ? { ca: [...rootCertificates, ...this.order.authorities] } : {};
    const json: Record<string, string> =
      method === 'POST'
        ? { 'content-type': 'application/json', 'content-length': String((body as Buffer).length) }
        : {};
    const options = { method, headers: { ...json, ...headers }, signal, timeout: SILENCE_MS, ...trust };
    const request = start(url, options);
    request.on('timeout', () => request.destroy(new Error(`nothing was heard for ${SILENCE_MS / 1_000} seconds`)));
    const answered = new Promise<Reply>((resolve, reject) => {
      request.once('response', (message) => resolve({ status: message.statusCode!, body: message }));
      request.once('error', reject);
    });
    if (body === null || Buffer.isBuffer(body)) {
      request.end(body ?? undefined);
      return answered;
    }
    // Whoever refuses need not read all of it, so the answer counts and not how the body fared.
    const sent = pipeline(body, request).then(() => answered);
    sent.catch(() => undefined);
    answered.catch(() => undefined);
    return Promise.race([answered, sent]);
  }
}

/** 413 and 422 are about the job, and say so; anything else is not as agreed. */
function refusal(status: number, { code, message }: Record<string, unknown>, role: string): Error {
  if ((status !== 413 && status !== 422) || typeof message !== 'string') {
    return new KilnUnreachableError(`the ${role} was answered with ${status}`);
  }
  const known = BUILD_FAILURE_CODES.find((each) => each === code);
  return new BuildFailedError(known ?? 'build.failed', message);
}

async function readJson(body: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > ANSWER_BYTES) break;
  }
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
