import { createWriteStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { Config } from '../../config/config.js';
import {
  BuildFailedError,
  type BuilderReadiness,
  type ConversionOrder,
  type ConvertedData,
  ImageConverter,
} from '../../modules/jobs/index.js';
import { PROGRAM_DEFAULTS } from '../program/order.js';
import { watchDisk } from '../program/watches.js';
import { conversionProblem } from '../sandbox/host.js';
import { openRegularFile } from '../sandbox/regular-file.js';
import { Sandbox } from '../sandbox/sandbox.js';
import { WorkFolder } from '../sandbox/work-folder.js';
import { LOCAL_BUILDER_OPTIONS, type LocalBuilderOptions } from './local.builder.js';

/** Formats that can be converted, and the names that qemu-img has for them. Discs and the like stay what they are. */
const QEMU_NAMES: Readonly<Record<string, string>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
};
/** Data in this container is meant to stay packed. */
const STAYS_PACKED = 'compressed';
/** Enough for qemu-img and for the reader of zip files, too little for a hostile header to hurt. */
const MEMORY_BYTES = 2 * 2 ** 30;
const HEAD_BYTES = 16;
const NOTES_BYTES = 16 * 2 ** 20;

/** Unpacks with Python's own readers and converts with qemu-img, each import in a sandbox of its own without a network. */
@Injectable()
export class LocalConverter extends ImageConverter {
  private readonly buildsDir: string;
  private readonly diskWatchMs: number;

  constructor(
    private readonly config: Config,
    @Optional() @Inject(LOCAL_BUILDER_OPTIONS) options?: Partial<LocalBuilderOptions>,
  ) {
    super();
    this.diskWatchMs = options?.diskWatchMs ?? PROGRAM_DEFAULTS.diskWatchMs;
    // Swept with the builds: what a dead process left of either goes the same way.
    this.buildsDir = join(config.dataDir, 'builds');
  }

  override handles(diskFormat: string, containerFormat: string): boolean {
    return this.unpacks(containerFormat) || this.targetOf(diskFormat, containerFormat) !== null;
  }

  override async convert(
    order: ConversionOrder,
    source: () => Promise<Readable>,
    signal: AbortSignal,
  ): Promise<ConvertedData | null> {
    signal.throwIfAborted();
    const target = this.targetOf(order.diskFormat, order.containerFormat);
    if (target === null && !isPacked(await readHead(await source()))) return null;
    const problem = await conversionProblem(target !== null);
    if (problem !== undefined) throw new BuildFailedError('builder.unavailable', problem);
    const limit = new AbortController();
    const stop = AbortSignal.any([signal, limit.signal]);
    const folder = await WorkFolder.create(this.buildsDir, order.jobId, order.attempt);
    const ends = [this.watchClock(limit), this.watchDisk(folder, limit)];
    try {
      const path = await this.runSteps(order, target, source, folder, stop);
      const handle = await openRegularFile(path, 'The result');
      const { size } = await handle.stat();
      await handle.close();
      stop.throwIfAborted();
      return {
        diskFormat: target ?? order.diskFormat,
        containerFormat: order.containerFormat,
        sizeBytes: size,
        open: async () => (await openRegularFile(path, 'The result')).createReadStream({ highWaterMark: 2 ** 20 }),
        dispose: () => folder.remove(),
      };
    } catch (error) {
      // Where removal fails the sweep tries again; the caller must see this failure, not a second one.
      await folder.remove().catch(() => undefined);
      if (signal.aborted) throw signal.reason;
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      for (const end of ends) end();
    }
  }

  override async readiness(): Promise<BuilderReadiness[]> {
    const { convertTo, decompress } = this.config.imports;
    if (convertTo === undefined && !decompress) return [];
    const problem = await conversionProblem(convertTo !== undefined);
    return [
      { builder: 'image conversion', usable: problem === undefined, ...(problem === undefined ? {} : { problem }) },
    ];
  }

  /** What it takes is the data as it came and as it is to be, and what the programs note beside. */
  private watchDisk(folder: WorkFolder, limit: AbortController): () => void {
    const limits = {
      diskBytes: 2 * this.config.imports.workBytes + NOTES_BYTES,
      freeBytes: PROGRAM_DEFAULTS.diskFreeBytes,
      everyMs: this.diskWatchMs,
      what: 'Unpacking and converting',
    };
    return watchDisk(folder, limits, limit);
  }

  private unpacks(containerFormat: string): boolean {
    return this.config.imports.decompress && containerFormat !== STAYS_PACKED;
  }

  private targetOf(diskFormat: string, containerFormat: string): string | null {
    const { convertTo } = this.config.imports;
    if (convertTo === undefined || convertTo === diskFormat || containerFormat !== 'bare') return null;
    return diskFormat in QEMU_NAMES ? convertTo : null;
  }

  /** @returns where the result lies */
  private async runSteps(
    order: ConversionOrder,
    target: string | null,
    source: () => Promise<Readable>,
    folder: WorkFolder,
    signal: AbortSignal,
  ): Promise<string> {
    const { workBytes, workTimeoutMs } = this.config.imports;
    const sandbox = await Sandbox.prepare(folder);
    const confined = {
      network: false,
      signal,
      memoryBytes: MEMORY_BYTES,
      fileBytes: workBytes,
      cpuSeconds: Math.ceil(workTimeoutMs / 1000),
      onOutput: () => undefined,
    };
    await fetchData(await source(), folder.archive(), workBytes, signal);
    const unpacked = this.unpacks(order.containerFormat)
      ? await sandbox.run({ ...confined, order: { step: 'decompress', limitBytes: workBytes } })
      : { packed: null };
    const path = unpacked.packed === null ? folder.archive() : join(folder.work(), 'disk');
    if (unpacked.packed !== null) await rm(folder.archive());
    if (target === null) return path;
    await judge(order, path, signal);
    await sandbox.run({
      ...confined,
      order: {
        step: 'convert',
        source: unpacked.packed === null ? '/archive' : '/job/disk',
        from: QEMU_NAMES[order.diskFormat]!,
        to: target,
        limitBytes: workBytes,
      },
    });
    return join(folder.out(), 'disk');
  }

  private watchClock(limit: AbortController): () => void {
    const { workTimeoutMs } = this.config.imports;
    const why = `Unpacking and converting took longer than the ${workTimeoutMs / 1000} seconds allowed`;
    const timer = setTimeout(() => limit.abort(new BuildFailedError('build.timeout', why)), workTimeoutMs);
    return () => clearTimeout(timer);
  }
}

/** The real format decides, before any program opens the data as what it is said to be. */
async function judge(order: ConversionOrder, path: string, signal: AbortSignal): Promise<void> {
  const probe = await order.judge();
  const body = (await openRegularFile(path, 'The data')).createReadStream({ highWaterMark: 2 ** 20 });
  for await (const chunk of body) {
    signal.throwIfAborted();
    await probe.write(chunk as Buffer);
  }
  probe.finish();
}

async function readHead(body: Readable): Promise<Buffer> {
  let head = Buffer.alloc(0);
  // Leaving the loop destroys the stream.
  for await (const chunk of body) {
    head = Buffer.concat([head, chunk as Buffer]);
    if (head.length >= HEAD_BYTES) break;
  }
  return head;
}

/** As the sandbox program sees it: gzip, zip or lha. */
function isPacked(head: Buffer): boolean {
  const magic = head.toString('latin1', 0, 7);
  return magic.startsWith('\x1f\x8b') || magic.startsWith('PK\x03\x04') || /^..-l[hz][0-9a-z]-/s.test(magic);
}

async function fetchData(body: Readable, path: string, limitBytes: number, signal: AbortSignal): Promise<void> {
  let left = limitBytes;
  const cap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left >= 0) return done(null, chunk);
      done(
        new BuildFailedError(
          'import.too_large',
          `The data is over the ${limitBytes} bytes that may be unpacked or converted here`,
        ),
      );
    },
  });
  try {
    await pipeline(body, cap, createWriteStream(path, { flags: 'wx' }), { signal });
    // The sandbox's root, another user of the host, reads it, whatever the umask.
    await chmod(path, 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new BuildFailedError('build.out_of_disk', 'The disk of the worker is full', { cause: error });
  }
}
