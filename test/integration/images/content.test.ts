import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Image } from '../../../src/modules/images/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { plain, qcow2 } from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/programs.js';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;

let kiln: Catalogue;
let lenient: Catalogue;
let alice: Actor;

beforeAll(async () => {
  kiln = await catalogue();
  lenient = await catalogue({ KILN_IMAGE_FORMAT_CHECK: 'off', KILN_IMAGE_VIRTUAL_SIZE_MAX_BYTES: String(2 * 2 ** 30) });
  alice = await kiln.actor();
});
afterAll(async () => {
  await kiln?.close();
  await lenient?.close();
});

async function upload(
  body: Readable,
  diskFormat: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<Image> {
  const { id } = await kiln.images.create(alice, { diskFormat, containerFormat: 'bare', properties });
  return kiln.imageData.upload(alice, id, body);
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  return { promise: new Promise<void>((done) => (resolve = done)), resolve };
}

const body = (content: Buffer) => Readable.from([content], { objectMode: false });

describe('data that is not what its image says', () => {
  it('leaves the image queued, no bytes and no cost, and another upload succeeds', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10 * MEBIBYTE });
    const { id } = await kiln.images.create(actor, { diskFormat: 'qcow2', containerFormat: 'bare' });

    await expect(kiln.imageData.upload(actor, id, body(plain(MEBIBYTE)))).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'images.format_mismatch',
    });

    expect(await kiln.images.get(actor, id)).toMatchObject({
      status: 'queued',
      sizeBytes: null,
      virtualSizeBytes: null,
    });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    expect(await kiln.imageData.upload(actor, id, body(qcow2()))).toMatchObject({
      status: 'active',
      virtualSizeBytes: 2 ** 30,
    });
  });

  it('is refused also where only its last bytes show it', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10 * MEBIBYTE });
    const { id } = await kiln.images.create(actor, { diskFormat: 'vhd', containerFormat: 'bare' });

    await expect(kiln.imageData.upload(actor, id, body(plain(MEBIBYTE)))).rejects.toMatchObject({
      code: 'images.format_mismatch',
    });

    expect(await kiln.images.get(actor, id)).toMatchObject({ status: 'queued' });
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
  });

  it('is taken where the check is off, unless it is unsafe', async () => {
    const actor = await lenient.actor();
    const image = async (content: Buffer) => {
      const { id } = await lenient.images.create(actor, { diskFormat: 'qcow2', containerFormat: 'bare' });
      return lenient.imageData.upload(actor, id, body(content));
    };

    expect(await image(plain())).toMatchObject({ status: 'active', virtualSizeBytes: null });
    await expect(image(qcow2({ backingFile: 'a' }))).rejects.toMatchObject({ details: { fault: 'backing_file' } });
    await expect(image(qcow2({ virtualSizeBytes: 3n << 30n }))).rejects.toMatchObject({
      details: { fault: 'virtual_size' },
    });
  });

  it('cannot slip in by changing the format while the upload begins', async () => {
    const { id } = await kiln.images.create(alice, { diskFormat: 'raw', containerFormat: 'bare' });
    // Its format is about to change: the upload looks at the old one, and then waits for the image.
    const { promise: seen, resolve: go } = deferred();
    const { promise: held, resolve: isHeld } = deferred();
    const changing = kiln.uow.run(async () => {
      await kiln.images.update(alice, id, { diskFormat: 'qcow2' });
      isHeld();
      await seen;
    });
    await held;
    const uploading = kiln.imageData.upload(alice, id, body(plain()));
    uploading.catch(() => undefined);
    await eventually(async () => {
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      return (await kiln.database.query(waiting)).length > 0;
    });
    go();
    await changing;

    await expect(uploading).rejects.toMatchObject({ kind: 'conflict', code: 'images.changed' });
    expect(await kiln.images.get(alice, id)).toMatchObject({ status: 'queued', diskFormat: 'qcow2' });
  });
});

describeWith(['qemu-img'], 'images that qemu-img makes', () => {
  let folder: string;
  const raw = () => join(folder, 'disk.raw');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-content-'));
    const disk = Buffer.alloc(8 * MEBIBYTE);
    disk.fill('data', MEBIBYTE, 2 * MEBIBYTE);
    await writeFile(raw(), disk);
    await writeFile(join(folder, 'secret'), 'secret');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function made(format: string, options: string[], name = `made-${Math.random()}`): Promise<string> {
    const path = join(folder, name);
    const convert = ['convert', '-f', 'raw', '-O', format, ...options, raw(), path];
    for (let tries = 1; ; tries += 1) {
      try {
        await run('qemu-img', convert, { cwd: folder });
        return path;
      } catch (error) {
        // For encryption qemu-img times itself, which a busy machine does not always let it do.
        if (tries === 5 || !String((error as Error).message).includes('accurate CPU usage')) throw error;
      }
    }
  }

  it.each<[string, string, string[]]>([
    ['qcow2', 'qcow2', []],
    ['qcow2', 'qcow2', ['-c']],
    ['qcow2', 'qcow2', ['-c', '-o', 'compression_type=zstd']],
    ['qcow2', 'qcow2', ['-o', 'compat=0.10']],
    ['qcow2', 'qcow2', ['-o', 'cluster_size=512']],
    ['qcow2', 'qcow2', ['-o', 'cluster_size=2M']],
    ['qcow2', 'qcow2', ['-o', 'lazy_refcounts=on,extended_l2=on']],
    ['qcow2', 'qcow2', ['-o', 'preallocation=metadata']],
    [
      'qcow2',
      'qcow2',
      ['--object', 'secret,id=s,file=secret', '-o', 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10'],
    ],
    ['vmdk', 'vmdk', []],
    ['vmdk', 'vmdk', ['-o', 'subformat=monolithicSparse,compat6=on']],
    ['vmdk', 'vmdk', ['-o', 'subformat=streamOptimized']],
    ['vdi', 'vdi', []],
    ['vdi', 'vdi', ['-o', 'static=on']],
    ['vhd', 'vpc', ['-o', 'force_size=on']],
    ['vhd', 'vpc', ['-o', 'subformat=fixed,force_size=on']],
    ['vhdx', 'vhdx', []],
    ['vhdx', 'vhdx', ['-o', 'subformat=fixed']],
    ['vhdx', 'vhdx', ['-o', 'block_size=1M']],
    ['ploop', 'parallels', []],
    ['raw', 'raw', []],
  ])('%s by %s %j tell the size of their disk', async (diskFormat, format, options) => {
    const image = await upload(createReadStream(await made(format, options)), diskFormat);

    expect(image).toMatchObject({ status: 'active', virtualSizeBytes: 8 * MEBIBYTE });
  });

  it('of luks are bytes', async () => {
    const path = await made('luks', ['--object', 'secret,id=s,file=secret', '-o', 'key-secret=s,iter-time=10']);

    expect(await upload(createReadStream(path), 'raw')).toMatchObject({ virtualSizeBytes: (await stat(path)).size });
  });

  it('of qed are none', async () => {
    await expect(upload(createReadStream(await made('qed', [])), 'raw')).rejects.toMatchObject({
      details: { found: 'qed' },
    });
  });

  it.each([
    ['monolithicFlat', 'foreign_extent'],
    ['twoGbMaxExtentFlat', 'foreign_extent'],
    ['twoGbMaxExtentSparse', 'foreign_extent'],
  ])('of vmdk %s are refused', async (subformat, fault) => {
    const path = await made('vmdk', ['-o', `subformat=${subformat}`], `${subformat}.vmdk`);

    await expect(upload(createReadStream(path), 'vmdk')).rejects.toMatchObject({ details: { fault } });
  });

  it('of vmdk that are one part of several are refused', async () => {
    await made('vmdk', ['-o', 'subformat=twoGbMaxExtentSparse'], 'parts.vmdk');

    await expect(upload(createReadStream(join(folder, 'parts-s001.vmdk')), 'vmdk')).rejects.toMatchObject({
      details: { fault: 'subformat' },
    });
  });

  it.each([
    ['qcow2', 'qcow2'],
    ['qed', 'raw'],
    ['vmdk', 'vmdk'],
  ])('of %s that need a backing file are refused', async (format, declared) => {
    const base = await made(format, [], `base.${format}`);
    const path = join(folder, `over.${format}`);
    await run('qemu-img', ['create', '-f', format, '-b', base, '-F', format, path]);

    await expect(upload(createReadStream(path), declared)).rejects.toMatchObject({
      details: format === 'qed' ? { found: 'qed' } : { fault: 'backing_file' },
    });
  });

  it('that keep their data in another file are refused', async () => {
    for (const option of ['data_file=data.raw', 'data_file=data.raw,data_file_raw=on']) {
      const path = await made('qcow2', ['-o', option]);

      await expect(upload(createReadStream(path), 'qcow2')).rejects.toMatchObject({ details: { fault: 'data_file' } });
    }
  });
});
