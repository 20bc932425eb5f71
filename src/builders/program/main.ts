import { writeSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { BuildFailedError, type BuildFailureCode } from '../../modules/jobs/builder.js';
import { brokenLines } from './broken-lines.js';
import { BuildProgram } from './build-program.js';
import { Kiln, KilnUnreachableError, LeaseLostError } from './kiln.js';
import { EXIT, PROGRAM_DEFAULTS, type ProgramOrder, type ProgramOutcome } from './order.js';

/** The builder program: runs one order (a file, or `-` for its input) to its end. What it prints is the log of the job. */
async function main(path: string): Promise<number> {
  const stopped = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => stopped.abort(new StoppedError(`stopped by ${signal}`)));
  }
  const order = JSON.parse(path === '-' ? await text(process.stdin) : await readFile(path, 'utf8')) as ProgramOrder;
  if (order.version !== 1) throw new Error(`orders of version ${String(order.version)} are not understood`);
  const { reportGiveUpMs } = { ...PROGRAM_DEFAULTS, ...order.options };
  const log = brokenLines((text) => void process.stdout.write(text));
  const kiln = new Kiln(order, reportGiveUpMs, log, stopped.signal);
  try {
    const outcome = await BuildProgram.run(order, kiln, log, stopped.signal);
    await writeOutcome(order.outcome, outcome);
    return EXIT.done;
  } catch (error) {
    if (error instanceof StoppedError) return EXIT.stopped;
    if (error instanceof LeaseLostError) return EXIT.leaseLost;
    const code = codeOf(error);
    if (code === undefined) throw error;
    await writeOutcome(order.outcome, { code, message: (error as Error).message.slice(0, MAX_MESSAGE) });
    return EXIT.done;
  }
}

class StoppedError extends Error {}

/** Undefined: a fault of the program itself. */
function codeOf(error: unknown): BuildFailureCode | undefined {
  if (error instanceof BuildFailedError) return error.code;
  return error instanceof KilnUnreachableError ? 'executor.failed' : undefined;
}

/** An outcome has 4096 bytes at most: a pod has no more room for it. */
const MAX_MESSAGE = 1_000;

async function writeOutcome(path: string, outcome: ProgramOutcome): Promise<void> {
  const json = JSON.stringify(outcome);
  const [, descriptor] = /^fd:(\d+)$/.exec(path) ?? [];
  if (descriptor !== undefined) return void writeSync(Number(descriptor), json);
  try {
    await writeFile(`${path}.new`, json);
    await rename(`${path}.new`, path);
  } catch {
    // In a pod the file is there already, and its folder is not ours to write in.
    await writeFile(path, json);
  }
}

// Whoever reads the log may be gone; how the build ends is not told by it.
process.stdout.on('error', () => undefined);
main(process.argv[2] ?? '').then(
  (status) => process.exit(status),
  (error: Error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`, () => process.exit(EXIT.failed));
  },
);
