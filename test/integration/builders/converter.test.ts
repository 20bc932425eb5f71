import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { LocalConverter } from '../../../src/builders/local/local-converter.js';
import { loadConfig } from '../../../src/config/config.js';
import type { ConvertedData } from '../../../src/modules/jobs/index.js';
import { DiskInspector } from '../../../src/common/disk-format/disk-inspector.js';
import { plain } from '../../support/disks/disk-images.js';
import { describeWith } from '../../support/programs.js';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;
const DISK = Buffer.concat([plain(MEBIBYTE), Buffer.alloc(7 * MEBIBYTE)]);

describeWith(['qemu-img', 'bwrap', 'unshare', 'prlimit', 'python3'], 'data on its way in', () => {
  let folder: string;
  let jobs = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-converter-'));
    await writeFile(join(folder, 'disk.raw'), DISK);
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'disk.qcow2'], { cwd: folder });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  interface Data {
    readonly settings: Readonly<Record<string, string>>;
    readonly diskFormat?: string;
    readonly containerFormat?: string;
    readonly judge?: () => { write(chunk: Buffer): void; finish(): unknown };
    readonly signal?: AbortSignal;
  }

  async function convert(source: Buffer | ((dataDir: string) => Readable), data: Data) {
    const dataDir = join(folder, `data-${(jobs += 1)}`);
    await mkdir(dataDir);
    const { config } = loadConfig({ KILN_DATA_DIR: dataDir, ...data.settings });
    const { diskFormat = 'raw', containerFormat = 'bare' } = data;
    const judged: Buffer[] = [];
    const noted = { write: (chunk: Buffer) => void judged.push(chunk), finish: () => undefined };
    const converted = await new LocalConverter(config, { diskWatchMs: 20 })
      .convert(
        { jobId: `job-${jobs}`, attempt: 1, diskFormat, containerFormat, judge: async () => data.judge?.() ?? noted },
        async () => (typeof source === 'function' ? source(dataDir) : Readable.from([source], { objectMode: false })),
        data.signal ?? new AbortController().signal,
      )
      .catch((error: unknown) => error as Error);
    const left = async () => (await readdir(join(dataDir, 'builds')).catch(() => [])).length;
    return { converted, judged: Buffer.concat(judged), left };
  }

  async function bytesOf(converted: ConvertedData | Error | null): Promise<Buffer> {
    if (converted instanceof Error || converted === null) throw converted ?? new Error('it was taken as it is');
    return buffer(await converted.open());
  }

  async function zipOf(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
    const script = `import sys, zipfile\nz = zipfile.ZipFile('made.zip', 'w', zipfile.ZIP_DEFLATED)\n[z.write(n) for n in sys.argv[1:]]\nz.close()`;
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    await run('python3', ['-c', script, ...Object.keys(files)], { cwd: folder });
    return readFile(join(folder, 'made.zip'));
  }

  const UNPACK = { KILN_IMPORT_DECOMPRESS: 'on' };

  it.each<[string, () => Buffer | Promise<Buffer>]>([
    ['gzip', () => gzipSync(DISK)],
    ['a zip file of one disk', () => zipOf({ 'disk.img': DISK })],
  ])('is unpacked from %s', async (_what, packed) => {
    const { converted, left } = await convert(await packed(), { settings: UNPACK });

    expect((await bytesOf(converted)).equals(DISK)).toBe(true);
    expect(converted).toMatchObject({ diskFormat: 'raw', containerFormat: 'bare', sizeBytes: DISK.length });
    await (converted as ConvertedData).dispose();
    expect(await left()).toBe(0);
  });

  it('that is not packed is taken as it is', async () => {
    expect((await convert(DISK, { settings: UNPACK })).converted).toBeNull();
  });

  it('stays packed where that is its container, and what it is where nothing else is wanted', () => {
    const { config } = loadConfig({ ...UNPACK, KILN_IMPORT_CONVERT_TO: 'qcow2' });
    const converter = new LocalConverter(config);
    const plainly = new LocalConverter(loadConfig({}).config);

    expect(converter.handles('raw', 'compressed')).toBe(false);
    expect(converter.handles('raw', 'bare')).toBe(true);
    expect(plainly.handles('raw', 'bare')).toBe(false);
    for (const stays of ['iso', 'qcow2', 'ami']) {
      expect(new LocalConverter(loadConfig({ KILN_IMPORT_CONVERT_TO: 'qcow2' }).config).handles(stays, 'bare')).toBe(
        false,
      );
    }
  });

  it.each<[string, () => Buffer | Promise<Buffer>, RegExp]>([
    ['a zip file of two', () => zipOf({ one: plain(9), two: plain(9) }), /holds 2 files/],
    ['half a gzip file', () => gzipSync(DISK).subarray(0, 3000), /no whole gzip or zip file/],
    ['half a zip file', async () => (await zipOf({ one: DISK })).subarray(0, 3000), /no whole gzip or zip file/],
    ['lha', () => Buffer.from('\x20\x00-lh5-anything at all'), /lha files are not unpacked here/],
  ])('of %s is refused, and leaves nothing', async (_what, packed, message) => {
    const { converted, left } = await convert(await packed(), { settings: UNPACK });

    expect(converted).toMatchObject({ code: 'import.archive_invalid', message: expect.stringMatching(message) });
    expect(await left()).toBe(0);
  });

  it('that grows beyond its bounds is refused', async () => {
    const settings = { ...UNPACK, KILN_IMPORT_WORK_BYTES: String(MEBIBYTE) };

    for (const bomb of [gzipSync(DISK), await zipOf({ bomb: DISK })]) {
      const { converted, left } = await convert(bomb, { settings });
      expect(converted).toMatchObject({ code: 'import.too_large' });
      expect(await left()).toBe(0);
    }
    const { converted } = await convert(gzipSync(Buffer.from(DISK), { level: 0 }), { settings });
    expect(converted).toMatchObject({ code: 'import.too_large' });
  });

  it.each([
    ['raw', 'qcow2', 'disk.raw'],
    ['qcow2', 'raw', 'disk.qcow2'],
    ['qcow2', 'vmdk', 'disk.qcow2'],
  ])('is converted from %s to %s, and judged before', async (from, to, name) => {
    const source = await readFile(join(folder, name));
    const { converted, judged, left } = await convert(() => createReadStream(join(folder, name)), {
      settings: { KILN_IMPORT_CONVERT_TO: to },
      diskFormat: from,
    });

    const bytes = await bytesOf(converted);
    expect(judged.equals(source)).toBe(true);
    expect(converted).toMatchObject({ diskFormat: to, sizeBytes: bytes.length });
    const inspector = new DiskInspector(() => undefined);
    inspector.write(bytes);
    inspector.end();
    if (to === 'raw') expect(bytes.equals(DISK)).toBe(true);
    else expect(inspector.findings).toMatchObject([{ format: to, virtualSizeBytes: DISK.length, faults: [] }]);
    await (converted as ConvertedData).dispose();
    expect(await left()).toBe(0);
  });

  it('is unpacked and then converted', async () => {
    const { converted, judged } = await convert(gzipSync(await readFile(join(folder, 'disk.qcow2'))), {
      settings: { ...UNPACK, KILN_IMPORT_CONVERT_TO: 'raw' },
      diskFormat: 'qcow2',
    });

    expect((await bytesOf(converted)).equals(DISK)).toBe(true);
    expect(judged.equals(await readFile(join(folder, 'disk.qcow2')))).toBe(true);
    await (converted as ConvertedData).dispose();
  });

  it('is opened by no program that its judge refuses', async () => {
    const refusal = new Error('unsafe');
    const { converted, left } = await convert(DISK, {
      settings: { KILN_IMPORT_CONVERT_TO: 'qcow2' },
      judge: () => ({
        write: () => {
          throw refusal;
        },
        finish: () => undefined,
      }),
    });

    expect(converted).toBe(refusal);
    expect(await left()).toBe(0);
  });

  it('that no program can read fails with what that says', async () => {
    const { converted, left } = await convert(plain(), {
      settings: { KILN_IMPORT_CONVERT_TO: 'raw' },
      diskFormat: 'qcow2',
    });

    expect(converted).toMatchObject({
      code: 'import.conversion_failed',
      message: expect.stringMatching(/qemu-img cannot convert the data from qcow2 to raw/),
    });
    expect(await left()).toBe(0);
  });

  it('is given up when more lies in its folder than it needs', async () => {
    // What a program that went astray would leave there.
    const stalled = (dataDir: string) =>
      new Readable({
        read(): void {
          void writeFile(join(dataDir, 'builds', `job-${jobs}-1`, 'tmp', 'stray'), Buffer.alloc(20 * MEBIBYTE));
        },
      });
    const settings = { KILN_IMPORT_CONVERT_TO: 'qcow2', KILN_IMPORT_WORK_BYTES: String(MEBIBYTE) };

    const { converted, left } = await convert(stalled, { settings });

    expect(converted).toMatchObject({ code: 'build.out_of_disk' });
    expect(await left()).toBe(0);
  });

  it('tells beforehand whether it can be done, where it is wanted', async () => {
    const ready = (settings: Readonly<Record<string, string>>) =>
      new LocalConverter(loadConfig({ KILN_DATA_DIR: folder, ...settings }).config).readiness();

    expect(await ready({})).toEqual([]);
    for (const settings of [UNPACK, { KILN_IMPORT_CONVERT_TO: 'qcow2' }]) {
      expect(await ready(settings)).toEqual([{ builder: 'image conversion', usable: true }]);
    }
  });

  it('is given up when that takes too long, or is cancelled', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const stalled = () => new Readable({ read: () => undefined });
    const settings = { KILN_IMPORT_CONVERT_TO: 'qcow2', KILN_IMPORT_WORK_TIMEOUT: '1s' };

    const late = await convert(stalled, { settings });
    const cancelling = convert(stalled, { settings: { KILN_IMPORT_CONVERT_TO: 'qcow2' }, signal: cancel.signal });
    cancel.abort(reason);

    expect(late.converted).toMatchObject({ code: 'build.timeout' });
    expect(await late.left()).toBe(0);
    expect((await cancelling).converted).toBe(reason);
  });
});
