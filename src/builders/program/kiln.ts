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
const NONE: ReadonlySet<number> = new Set();
const RETRY_MS = 1_000;
const TOO_MANY_REQUESTS = 429;
/** How long nothing may be heard; a store may take its time to finish a large file. */
const SILENCE_MS = 600_000;
const ANSWER_BYTES = 65_536;

interface Reply {
  readonly status: number;
  readonly body: IncomingMessage;
}

/** What the program gets from Kiln and tells it, by plain HTTP. */
export class Kiln {
  constructor(
    private readonly order: Pick<ProgramOrder, 'source' | 'upload' | 'report' | 'authorities'>,
    /** How long Kiln may not answer; an attempt that fails late is made once more at least. */
    private readonly giveUpMs: number,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws LeaseLostError, KilnUnreachableError */
  async phase(phase: BuildPhase): Promise<void> {
    await this.tell({ phase });
  }

  /** @throws LeaseLostError, KilnUnreachableError */
  async shell(shell: ShellState): Promise<void> {
    await this.tell({ shell });
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

  /** The source from its first byte; it is asked for again while nothing of it has come. */
  async source(): Promise<Readable> {
    const { url, headers } = this.order.source;
    // An address that a store has signed is refused for other reasons than that the job is gone.
    const { status, body } = await this.persist(() => this.send('GET', url, headers), 'what is to be built', NONE);
    if (status === 200) return body;
    body.destroy();
    throw new KilnUnreachableError(`what is to be built could not be fetched: ${status}`);
  }

  /**
   * Hands a file over.
   * @returns its id
   * @throws BuildFailedError it is refused
   * @throws LeaseLostError, KilnUnreachableError
   */
  async upload(role: BuiltRole, sizeBytes: number, open: () => Promise<Readable>): Promise<string> {
    const { url, headers } = this.order.upload;
    const length = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const reply = await this.persist(
      async () => this.send('PUT', `${url}/${role}`, { ...headers, ...length }, await open()),
      `the ${role}`,
    );
    const answer = await readJson(reply.body);
    if (reply.status === 201 && typeof answer.fileId === 'string') return answer.fileId;
    throw refusal(reply.status, answer, role);
  }

  private async tell(report: object): Promise<void> {
    const { url, headers } = this.order.report;
    const text = Buffer.from(JSON.stringify(report));
    const { status, body } = await this.persist(() => this.send('POST', url, headers, text), 'a report');
    body.resume();
    if (status >= 300) throw new KilnUnreachableError(`a report was answered with ${status}`);
  }

  /** Tries again while Kiln does not answer, or is not well. */
  private async persist(send: () => Promise<Reply>, what: string, lost = LOST): Promise<Reply> {
    let deadline: number | undefined;
    for (;;) {
      const reply = await send().catch((error: Error) => error);
      this.signal.throwIfAborted();
      let pauseMs = RETRY_MS;
      if ('status' in reply) {
        if (lost.has(reply.status)) {
          reply.body.destroy();
          throw new LeaseLostError(`Kiln answered ${reply.status} to ${what}`);
        }
        if (reply.status < 500 && reply.status !== TOO_MANY_REQUESTS) return reply;
        pauseMs = Math.max(RETRY_MS, (Number(reply.body.headers['retry-after']) || 0) * 1_000);
        reply.body.destroy();
      } else if (reply instanceof BuildFailedError) throw reply;
      deadline ??= Date.now() + this.giveUpMs;
      if (Date.now() + pauseMs > deadline) {
        const why = 'status' in reply ? `it answered ${reply.status}` : reply.message;
        throw new KilnUnreachableError(`Kiln cannot be reached for ${what}: ${why}`);
      }
      await delay(pauseMs, undefined, { signal: this.signal });
    }
  }

  private async send(
    method: string,
    url: string,
    headers: Address['headers'],
    body: Buffer | Readable | null = null,
  ): Promise<Reply> {
    const secure = url.startsWith('https:');
    const start = secure ? httpsRequest : httpRequest;
    const trust = secure ? { ca: [...rootCertificates, ...this.order.authorities] } : {};
    const json: Record<string, string> =
      method === 'POST'
        ? { 'content-type': 'application/json', 'content-length': String((body as Buffer).length) }
        : {};
    const options = { method, headers: { ...json, ...headers }, signal: this.signal, timeout: SILENCE_MS, ...trust };
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
