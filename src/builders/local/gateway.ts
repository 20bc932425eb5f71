import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { UnavailableError } from '../../common/errors.js';
import {
  BUILD_PHASES,
  type BuildPhase,
  BUILT_ROLES,
  type BuildReporter,
  type ShellState,
} from '../../modules/jobs/index.js';
import type { Address } from '../program/order.js';

const REPORT_BYTES = 64 * 1024;

/** What one execution gets from Kiln and tells it. */
export interface GatewayExecution {
  readonly source: () => Promise<Readable>;
  readonly report: BuildReporter;
  /** Where people reach a shell that listens on this machine. */
  readonly shellHost: string;
}

/**
 * Kiln's side of one builder program that runs on this machine: the source, the files and the reports, by HTTP on the
 * loopback, for whoever has the token. What Kiln refuses is the end of the build: `fault` is it. A report that cannot be
 * taken now comes again, or is left out.
 */
export class Gateway {
  private failure: Error | undefined;

  private constructor(
    private readonly server: Server,
    private readonly token: Buffer,
    private readonly execution: GatewayExecution,
    private readonly onFault: () => void,
  ) {}

  /** @param onFault something was refused */
  static async open(execution: GatewayExecution, onFault: () => void): Promise<Gateway> {
    const server = createServer();
    const token = Buffer.from(`Bearer ${randomBytes(32).toString('base64url')}`);
    const gateway = new Gateway(server, token, execution, onFault);
    server.on('request', (request, response) => void gateway.serve(request, response));
    // A file may take longer than any request of a user may.
    server.requestTimeout = 0;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return gateway;
  }

  /** Why Kiln wants no more of this build. */
  get fault(): Error | undefined {
    return this.failure;
  }

  address(name: 'source' | 'files' | 'report'): Address {
    const { port } = this.server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/${name}`, headers: { authorization: this.token.toString() } };
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.knows(request.headers.authorization)) return answer(response, 401);
    const { method, url } = request;
    try {
      if (method === 'GET' && url === '/source') await this.sendSource(response);
      else if (method === 'POST' && url === '/report') await this.take(request, response);
      else if (method === 'PUT' && url?.startsWith('/files/')) await this.store(url.slice(7), request, response);
      else answer(response, 404);
    } catch (error) {
      if (error instanceof UnavailableError && url === '/report') return answer(response, 503);
      this.failure ??= error as Error;
      this.onFault();
      if (response.headersSent) response.destroy();
      else answer(response, 409);
    }
  }

  private knows(credential: string | undefined): boolean {
    const given = Buffer.from(credential ?? '');
    return given.length === this.token.length && timingSafeEqual(given, this.token);
  }

  private async sendSource(response: ServerResponse): Promise<void> {
    const body = await this.execution.source();
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    // Where it breaks off, the program asks again.
    await pipeline(body, response).catch(() => undefined);
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { report, shellHost } = this.execution;
    const told = await readReport(request);
    if (told.percent !== undefined) report.percent(told.percent);
    if (told.shell !== undefined) {
      const { status, port, hostKey } = told.shell;
      await report.shell(port === undefined ? { status } : { status, host: shellHost, port, hostKey });
    }
    if (told.phase !== undefined) await report.phase(told.phase);
    answer(response, 204);
  }

  private async store(role: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sizeBytes = Number(request.headers['content-length']);
    const known = BUILT_ROLES.find((each) => each === role);
    if (known === undefined || !Number.isSafeInteger(sizeBytes)) return answer(response, 400);
    const fileId = await this.execution.report.store(known, sizeBytes, request);
    answer(response, 201, { fileId });
  }
}

interface Told {
  readonly phase?: BuildPhase;
  readonly percent?: number;
  readonly shell?: ShellState;
}

async function readReport(request: IncomingMessage): Promise<Told> {
  if (Number(request.headers['content-length']) > REPORT_BYTES) throw new TypeError('a report is too long');
  const told = JSON.parse((await buffer(request)).toString()) as Told;
  if (told.phase !== undefined && !BUILD_PHASES.includes(told.phase))
    throw new TypeError(`unknown phase ${told.phase}`);
  return told;
}

function answer(response: ServerResponse, status: number, body?: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body && JSON.stringify(body));
}
