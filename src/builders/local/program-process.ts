import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ProgramOrder } from '../program/order.js';

/** A pipe of its own: nothing of an order lies on a disk. */
export const OUTCOME_PATH = 'fd:3';

const MAX_ERROR_TEXT = 4_096;
/** How long a program that was told to stop may take to end its build and to remove its files. */
const STOP_MS = 20_000;

/** A builder program that runs on this machine. It ends with this process, whatever becomes of that. */
export class ProgramProcess {
  private readonly ended: Promise<number | null>;
  private errors = '';
  private told = '';

  private constructor(
    private readonly child: ChildProcess,
    onOutput: (text: string) => void,
  ) {
    const decoder = new StringDecoder('utf8');
    child.stdout!.on('data', (chunk: Buffer) => onOutput(decoder.write(chunk)));
    child.stderr!.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString('utf8')).slice(-MAX_ERROR_TEXT);
    });
    (child.stdio[3] as Readable).on('data', (chunk: Buffer) => (this.told += chunk.toString('utf8')));
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.errors += error.message;
        resolve(null);
      });
      child.once('close', (status) => resolve(status));
    });
  }

  static start(program: string, order: ProgramOrder, onOutput: (text: string) => void): ProgramProcess {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, program, '-'], {
      // Nothing of Kiln's own environment (it holds secrets) reaches the program.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', NODE_ENV: 'production' },
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    // It may end before it has read its order; `close` tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify(order));
    return new ProgramProcess(child, onOutput);
  }

  /** The exit status; null: it was killed, or could not be started. */
  wait(): Promise<number | null> {
    return this.ended;
  }

  /** The outcome of one that is done. */
  get outcome(): string {
    return this.told;
  }

  /** What it said of a fault of its own. */
  get complaint(): string {
    return this.errors.trim().split('\n')[0] ?? '';
  }

  /** Ends it; safe to call at any time. */
  stop(): void {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    void once(this.child, 'close').finally(() => clearTimeout(timer));
  }
}
