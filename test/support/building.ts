import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LocalBuilder, type LocalBuilderOptions } from '../../src/builders/local/local.builder.js';
import { loadConfig } from '../../src/config/config.js';
import type { BuildOrder, BuildPhase, BuildResult, BuiltRole, ShellState } from '../../src/modules/jobs/index.js';

const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'src', 'builders', 'program', 'main.js');

/** A local builder with a data folder of its own, and less patience with repositories. */
export async function aBuilder(
  settings: Readonly<Record<string, string>> = {},
  options: Partial<LocalBuilderOptions> = {},
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'kiln-builder-'));
  const { config } = loadConfig({ KILN_DATA_DIR: dataDir, ...settings });
  const builder = new LocalBuilder(config, {
    repositoryAnswerMs: 10_000,
    repositoryRoundMs: 100,
    repositoryGiveUpMs: 5_000,
    diskWatchMs: 100,
    flagWatchMs: 100,
    program: PROGRAM,
    ...options,
  });
  return { builder, dataDir, buildsDir: join(dataDir, 'builds') };
}

let orders = 0;

/** Files that builds have stored, by their ids. */
const stored = new Map<string, Buffer>();

/** A valid order of a kiwi-ng recipe; a test names what matters to it. */
export function anOrder(changes: Partial<BuildOrder> = {}): BuildOrder {
  return {
    jobId: `job-${process.pid}-${++orders}`,
    attempt: 1,
    jobType: 'create',
    recipeType: 'kiwi-ng',
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    template: [],
    kernelFileName: 'vmlinuz',
    initrdFileName: 'initrd',
    kernelParametersFileName: 'kernel-parameters',
    requireDkms: false,
    enableDebug: false,
    // Of what is built in the end, as `start` sees it.
    sourceSizeBytes: 0,
    sourceMd5: '',
    buildEnvSizeGib: 15,
    memoryGib: 8,
    shell: null,
    scripts: null,
    ...changes,
  };
}

/** An order whose source is this archive, unless it says of another one. */
export function orderOf(order: BuildOrder, archive: Buffer): BuildOrder {
  return {
    ...order,
    sourceSizeBytes: order.sourceSizeBytes || archive.length,
    sourceMd5: order.sourceMd5 || createHash('md5').update(archive).digest('hex'),
  };
}

/** A build under way, and what it has told so far. */
export function start(
  builder: LocalBuilder,
  order: BuildOrder,
  archive: Buffer,
  onPhase: (phase: BuildPhase) => Promise<void> | void = () => undefined,
  signal?: AbortSignal,
  open = () => Readable.from([archive]),
) {
  const phases: BuildPhase[] = [];
  const percents: number[] = [];
  const shells: ShellState[] = [];
  const cancel = new AbortController();
  let log = '';
  const report = {
    phase: async (phase: BuildPhase) => {
      phases.push(phase);
      await onPhase(phase);
    },
    percent: (percent: number) => void percents.push(percent),
    log: (text: string) => void (log += text),
    shell: async (state: ShellState) => void shells.push(state),
    store: async (_role: BuiltRole, sizeBytes: number, body: Readable) => {
      const content = await buffer(body);
      if (content.length !== sizeBytes) throw new Error(`${content.length} bytes came, ${sizeBytes} were announced`);
      const fileId = randomUUID();
      stored.set(fileId, content);
      return fileId;
    },
  };
  const done = builder.build(orderOf(order, archive), () => Promise.resolve(open()), report, signal ?? cancel.signal);
  done.catch(() => undefined);
  return { done, cancel: (reason: Error) => cancel.abort(reason), phases, percents, shells, log: () => log };
}

/** The whole content of one of a build's files. */
export async function contentOf(result: BuildResult, role: BuiltRole): Promise<Buffer> {
  const file = result.files.find((candidate) => candidate.role === role);
  if (!file) throw new Error(`The build made no ${role}, only ${result.files.map((each) => each.role).join(', ')}`);
  return stored.get(file.fileId)!;
}

/** Names of the work folders that are there. */
export function workFolders(buildsDir: string): Promise<string[]> {
  return readdir(buildsDir).catch(() => []);
}
