import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/platform/database/embedded-postgres.js';

const START = join(import.meta.dirname, '../../../scripts/start.mjs');

// Some start it twice.
jest.setTimeout(400_000);

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

/** `npm start` without npm, which would only pass things on. */
describe('the start command', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln start-'));
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    if (await findEmbeddedPostgres(folder)) await (await startEmbeddedPostgres({ dataDir: folder })).stop();
    await rm(folder, { recursive: true, force: true });
  });

  function run(settings: Record<string, string> = {}): { child: ChildProcess; told: () => string } {
    const child = spawn(process.execPath, [START], {
      env: {
        PATH: process.env.PATH,
        TMPDIR: tmpdir(),
        KILN_DATA_DIR: folder,
        KILN_PORT: '0',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let told = '';
    child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    return { child, told: () => told };
  }

  async function start(settings: Record<string, string> = {}): Promise<Running> {
    const { child, told } = run(settings);
    const deadline = Date.now() + 150_000;
    for (;;) {
      const url = / is up at (http:\/\/\S+)/.exec(told())?.[1];
      if (url) return { child, url };
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Kiln did not start:\n${told()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await ended)[0];
  }

  async function failed(settings: Record<string, string> = {}): Promise<{ status: number; lines: string[] }> {
    const { child, told } = run(settings);
    const [status] = (await once(child, 'close')) as [number];
    return { status, lines: told().trim().split('\n') };
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('serves until %s, then stops everything it started', async (signal) => {
    const { child, url } = await start();
    expect((await fetch(`${url}/healthz/ready`)).status).toBe(200);
    expect((await stat(join(folder, 'clouds.yaml'))).mode & 0o777).toBe(0o600);

    expect(await end(child, signal)).toBe(0);

    await expect(fetch(`${url}/healthz/ready`)).rejects.toThrow();
    expect(await findEmbeddedPostgres(folder)).toBeUndefined();
  });

  it('takes a signal that comes twice at once for one', async () => {
    const { child } = await start();
    const ended = once(child, 'exit') as Promise<[number | null]>;

    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');

    expect((await ended)[0]).toBe(0);
  });

  it('finds its data again, also after it was killed', async () => {
    const first = await start();
    const credentials = await readFile(join(folder, 'clouds.yaml'), 'utf8');
    await end(first.child, 'SIGKILL');

    const second = await start();

    expect((await fetch(`${second.url}/healthz/ready`)).status).toBe(200);
    expect(passwordIn(await readFile(join(folder, 'clouds.yaml'), 'utf8'))).toBe(passwordIn(credentials));
    expect(await end(second.child, 'SIGTERM')).toBe(0);
  });

  function passwordIn(text: string): string {
    return /password: *(\S+)/.exec(text)![1]!;
  }

  it('says in one line that the data folder is in use', async () => {
    const { child } = await start();

    const { status, lines } = await failed();

    expect(status).toBe(1);
    expect(lines).toEqual([expect.stringContaining(`is in use by another Kiln (process ${child.pid})`)]);
    await end(child, 'SIGTERM');
  });

  it('says in one line that the port is taken, and stops what it had started', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;

    const { status, lines } = await failed({ KILN_PORT: String(port) });

    server.close();
    expect(status).toBe(1);
    expect(lines.at(-1)).toContain(`port ${port} on 127.0.0.1 is taken`);
    expect(await findEmbeddedPostgres(folder)).toBeUndefined();
  });

  it('prints every bad setting and exits with 78', async () => {
    const { status, lines } = await failed({ KILN_PORT: 'http', KILN_ROLE: 'queen' });

    expect(status).toBe(78);
    expect(lines).toEqual([expect.stringContaining('KILN_PORT'), expect.stringContaining('KILN_ROLE')]);
  });
});
