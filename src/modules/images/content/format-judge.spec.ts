import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { KilnError } from '../../../common/errors.js';
import {
  fixedVhd,
  iso,
  luks,
  over,
  plain,
  ploop,
  qcow2,
  qed,
  vdi,
  vhd,
  vhdx,
  vmdk,
  VMDK_DESCRIPTOR,
  withGpt,
  withMbr,
} from '../../../../test/support/disks/disk-images.js';
import { FormatJudge } from './format-judge.js';

const GIBIBYTE = 2 ** 30;
const RULES = { checksFormat: true, virtualSizeMaxBytes: 64 * 2 ** 40 };

/** What some work costs, in microseconds of the processor, however busy it is. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** The verdict in one word: the virtual size, or why the data is refused. */
function verdict(
  content: Buffer,
  diskFormat: string,
  { chunkBytes = 60_000, rules = RULES, containerFormat = 'bare' } = {},
): number | string | null {
  return outcome(
    function* () {
      for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
    },
    diskFormat,
    rules,
    containerFormat,
  ).verdict;
}

function outcome(
  chunks: () => Iterable<Buffer>,
  diskFormat: string,
  rules = RULES,
  containerFormat = 'bare',
): { verdict: number | string | null; seenBytes: number } {
  const judge = new FormatJudge({ id: 'an-id', diskFormat, containerFormat, properties: {} }, rules);
  let seenBytes = 0;
  try {
    for (const chunk of chunks()) {
      seenBytes += chunk.length;
      judge.write(chunk);
    }
    return { verdict: judge.finish().virtualSizeBytes, seenBytes };
  } catch (error) {
    if (!(error instanceof KilnError) || error.kind !== 'unsupported') throw error;
    const { details, code } = error;
    return {
      verdict: code === 'images.format_mismatch' ? `found ${String(details.found)}` : String(details.fault),
      seenBytes,
    };
  }
}

const descriptor = (from: string | RegExp, to: string) => vmdk({ descriptor: VMDK_DESCRIPTOR.replace(from, to) });
const flat = VMDK_DESCRIPTOR.replace('monolithicSparse', 'monolithicFlat').replace(
  /RW .*/,
  'RW 8 FLAT "/etc/shadow" 0',
);

/** Every format as every other one; the virtual size where it is taken. */
const SAMPLES: Readonly<Record<string, Buffer>> = {
  qcow2: qcow2(),
  vmdk: vmdk(),
  vdi: vdi(),
  vhd: vhd(),
  vhdx: vhdx(),
  iso: iso(),
  raw: plain(),
  ploop: ploop(),
};
const AS_BYTES = ['raw', 'ploop', 'ami', 'ari', 'aki'];

describe('data of a format', () => {
  for (const [format, content] of Object.entries(SAMPLES)) {
    for (const declared of [...Object.keys(SAMPLES), 'ami', 'ari', 'aki']) {
      const taken = format === declared || (['raw', 'iso', 'ploop'].includes(format) && AS_BYTES.includes(declared));
      const unknown = ['ami', 'ari', 'aki'].includes(declared);
      it(`${format} is ${taken || unknown ? 'taken' : 'refused'} as ${declared}`, () => {
        const found = verdict(content, declared);

        if (!taken && !unknown) expect(found).toMatch(/^found /);
        else if (unknown || (declared === 'ploop' && format !== 'ploop')) expect(found).toBeNull();
        else expect(found).toBe(['raw', 'iso'].includes(declared) ? content.length : GIBIBYTE);
      });
    }
  }

  it.each<[string, string, Buffer, number | string]>([
    ['a fixed vhd', 'vhd', fixedVhd(plain()), plain().length],
    ['a fixed vhd of a partitioned disk', 'vhd', fixedVhd(withMbr(plain())), plain().length],
    ['a fixed vhd, which is bytes too', 'raw', fixedVhd(plain()), plain().length + 512],
    [
      'a fixed vhd whose footer is damaged',
      'vhd',
      Buffer.concat([fixedVhd(plain()).subarray(0, -1), Buffer.of(9)]),
      'found null',
    ],
    ['a disc that boots from a stick', 'iso', withGpt(iso()), iso().length],
    ['the same, as bytes', 'raw', withMbr(iso()), iso().length],
    ['a disc of UDF alone', 'iso', iso(['BEA01', 'NSR03', 'TEA01']), iso().length],
    ['a partitioned disk', 'raw', withGpt(plain()), plain().length],
    ['an encrypted volume', 'raw', luks(), luks().length],
    ['a file shorter than any header', 'raw', Buffer.from('QF'), 2],
    ['nothing at all', 'raw', Buffer.alloc(0), 0],
    ['nothing at all, as a disk', 'qcow2', Buffer.alloc(0), 'found null'],
    ['an unfinished header', 'qcow2', qcow2().subarray(0, 60), 'truncated'],
    ['qcow2 of version 2', 'qcow2', qcow2({ version: 2 }), GIBIBYTE],
    ['a longer header', 'qcow2', qcow2({ headerLength: 112 }), GIBIBYTE],
    ['a stream with its footer', 'vmdk', vmdk({ footer: {} }), GIBIBYTE],
    ['qed, which no image can be', 'raw', qed(), 'found qed'],
  ])('%s, as %s', (_what, declared, content, expected) => {
    expect(verdict(content, declared)).toBe(expected);
  });

  it('is not compared where a container is around it', () => {
    expect(verdict(plain(), 'qcow2', { containerFormat: 'ovf' })).toBeNull();
    expect(verdict(plain(), 'raw', { containerFormat: 'ova' })).toBeNull();
    expect(verdict(qcow2(), 'qcow2', { containerFormat: 'ovf' })).toBe(GIBIBYTE);
    expect(verdict(qcow2({ backingFile: 'a' }), 'raw', { containerFormat: 'docker' })).toBe('backing_file');
  });

  it('is not compared where the check is off, and safe nonetheless', () => {
    const rules = { ...RULES, checksFormat: false };

    expect(verdict(plain(), 'qcow2', { rules })).toBeNull();
    expect(verdict(qcow2(), 'qcow2', { rules })).toBe(GIBIBYTE);
    expect(verdict(qcow2({ backingFile: '/etc/shadow' }), 'raw', { rules })).toBe('backing_file');
    expect(verdict(over(qcow2(), 512, iso()), 'iso', { rules })).toBe('several_formats');
  });
});

describe('unsafe data', () => {
  it.each<[string, Buffer, string, string]>([
    ['a backing file', qcow2({ backingFile: '/etc/shadow' }), 'qcow2', 'backing_file'],
    ['a backing file of version 2', qcow2({ version: 2, backingFile: 'a' }), 'qcow2', 'backing_file'],
    ['a data file', qcow2({ incompatible: 4n }), 'qcow2', 'data_file'],
    [
      'the name of a data file',
      qcow2({ extensions: [{ type: 0x44415441, data: Buffer.from('/dev/sda') }] }),
      'qcow2',
      'data_file',
    ],
    [
      'the name of a data file behind others',
      qcow2({
        extensions: [
          { type: 0x6803f857, data: Buffer.alloc(99) },
          { type: 0x44415441, data: Buffer.from('x') },
        ],
      }),
      'qcow2',
      'data_file',
    ],
    ['an unknown incompatible feature', qcow2({ incompatible: 1n << 40n }), 'qcow2', 'unknown_feature'],
    ['an unknown version', qcow2({ version: 4 }), 'qcow2', 'unknown_feature'],
    ['the first version', qcow2({ version: 1, backingFile: 'a' }), 'qcow2', 'unknown_feature'],
    ['an unknown encryption', qcow2({ encryption: 3 }), 'qcow2', 'unknown_feature'],
    ['clusters of a byte', qcow2({ clusterBits: 0 }), 'qcow2', 'malformed'],
    ['clusters of 4 GiB', qcow2({ clusterBits: 32 }), 'qcow2', 'malformed'],
    ['a table of 32 GiB', qcow2({ l1Entries: 0xffffffff }), 'qcow2', 'malformed'],
    ['a table of references as large', qcow2({ refcountTableClusters: 0xffff }), 'qcow2', 'malformed'],
    ['snapshots without number', qcow2({ snapshots: 0xffffffff }), 'qcow2', 'malformed'],
    ['a header without length', qcow2({ headerLength: 8 }), 'qcow2', 'malformed'],
    ['a header without end', qcow2({ headerLength: 60_000 }), 'qcow2', 'malformed'],
    [
      'an extension without end',
      qcow2({ extensions: [{ type: 1, data: Buffer.alloc(8), length: 0xffffffff }] }),
      'qcow2',
      'malformed',
    ],
    ['a disk of 65 TiB', qcow2({ virtualSizeBytes: 65n << 40n }), 'qcow2', 'virtual_size'],
    ['a disk of 16 EiB', qcow2({ virtualSizeBytes: (1n << 64n) - 1n }), 'qcow2', 'virtual_size'],
    ['a backing file of qed', qed(1n), 'ami', 'backing_file'],
    ['an extent elsewhere', descriptor('"disk.vmdk"', '"/etc/shadow"'), 'vmdk', 'foreign_extent'],
    ['an extent that climbs', descriptor('"disk.vmdk"', '"..\\\\secret.vmdk"'), 'vmdk', 'foreign_extent'],
    ['a flat extent', descriptor('SPARSE "disk.vmdk"', 'FLAT "disk-flat.vmdk" 0'), 'vmdk', 'foreign_extent'],
    ['a device as extent', descriptor('SPARSE "disk.vmdk"', 'VMFSRDM "disk.vmdk"'), 'vmdk', 'foreign_extent'],
    ['a second extent', descriptor('RW 2097152', 'rw 8 ZERO\nRW 2097152'), 'vmdk', 'foreign_extent'],
    ['no extent', descriptor(/RW .*\n/, ''), 'vmdk', 'foreign_extent'],
    ['a disk of many files', descriptor('monolithicSparse', 'twoGbMaxExtentSparse'), 'vmdk', 'subformat'],
    ['no kind', descriptor(/createType.*/, ''), 'vmdk', 'malformed'],
    ['two kinds', descriptor('version=1', '# createType="vmfs"'), 'vmdk', 'malformed'],
    ['a parent', descriptor('ffffffff', '12345678'), 'vmdk', 'backing_file'],
    ["a parent's name", descriptor('version=1', 'parentFileNameHint="/x.vmdk"'), 'vmdk', 'backing_file'],
    ['no descriptor', vmdk({ descriptorAtSector: 0n }), 'vmdk', 'subformat'],
    ['a descriptor far away', vmdk({ descriptorAtSector: 1n << 60n }), 'vmdk', 'malformed'],
    ['no capacity, so that its descriptor is followed', vmdk({ capacitySectors: 0n }), 'vmdk', 'foreign_extent'],
    ['an absurd capacity', vmdk({ capacitySectors: 1n << 63n }), 'vmdk', 'virtual_size'],
    ['an absurd grain', vmdk({ grainSectors: 3n }), 'vmdk', 'malformed'],
    ['an unknown version', vmdk({ version: 9 }), 'vmdk', 'unknown_feature'],
    ['a footer that contradicts', vmdk({ footer: { descriptorAtSector: 9n } }), 'vmdk', 'malformed'],
    ['a footer of another size', vmdk({ footer: { capacitySectors: 1n } }), 'vmdk', 'malformed'],
    ['no footer where one is promised', vmdk({ footer: false }), 'vmdk', 'truncated'],
    ['a descriptor alone', Buffer.from(flat), 'vmdk', 'foreign_extent'],
    [
      'a descriptor behind comments',
      Buffer.from(`# hello\n\n${flat.replace('# Disk DescriptorFile\n', '')}`),
      'vmdk',
      'foreign_extent',
    ],
    ['a part of ESX', Buffer.concat([Buffer.from('COWD'), plain()]), 'vmdk', 'subformat'],
    ['a differencing vdi', vdi({ kind: 4 }), 'vdi', 'backing_file'],
    ['a vdi with a parent', vdi({ link: Buffer.alloc(16, 1) }), 'vdi', 'backing_file'],
    ['a vdi with too few blocks', vdi({ blocks: 3 }), 'vdi', 'malformed'],
    ['a vdi of 16 EiB', vdi({ virtualSizeBytes: (1n << 64n) - 1n }), 'vdi', 'malformed'],
    ['a differencing vhd', vhd({ kind: 4 }), 'vhd', 'backing_file'],
    ['a vhd of an unknown kind', vhd({ kind: 6 }), 'vhd', 'unknown_feature'],
    ['a vhd with too few blocks', vhd({ entries: 1 }), 'vhd', 'malformed'],
    ['a vhd that ends as another', vhd({ endKind: 4 }), 'vhd', 'malformed'],
    ['a differencing vhdx', vhdx({ hasParent: true }), 'vhdx', 'backing_file'],
    ['a vhdx with a parent locator', vhdx({ parentLocator: true }), 'vhdx', 'backing_file'],
    ['a vhdx of two minds', vhdx({ otherTables: true }), 'vhdx', 'malformed'],
    ['a vhdx of 1 EiB', vhdx({ virtualSizeBytes: 1n << 60n }), 'vhdx', 'virtual_size'],
    ['an unfinished vhdx', vhdx().subarray(0, 2_150_000), 'vhdx', 'truncated'],
    ['qcow2 over a disc', over(qcow2(), 512, iso()), 'iso', 'several_formats'],
    ['qcow2 over a disc, as qcow2', over(qcow2(), 512, iso()), 'qcow2', 'several_formats'],
    ['vmdk over a disc', over(vmdk(), 11_000, iso()), 'vmdk', 'several_formats'],
    ['a vdi within a qcow2', over(qcow2(), 64, vdi()), 'qcow2', 'several_formats'],
    ['a qcow2 with a partition table', withMbr(qcow2()), 'qcow2', 'several_formats'],
    ['a qcow2 that ends as a fixed vhd', fixedVhd(qcow2()), 'qcow2', 'several_formats'],
    ['a disc with an encrypted start', over(luks(), 8, iso()), 'iso', 'several_formats'],
  ])('%s', (_what, content, declared, expected) => {
    expect(verdict(content, declared)).toBe(expected);
  });

  it('is told with what was found and what to do', () => {
    const judge = new FormatJudge({ id: 'an-id', diskFormat: 'qcow2', containerFormat: 'bare', properties: {} }, RULES);

    expect(() => judge.write(qcow2({ backingFile: 'a' }))).toThrow(
      'Image an-id cannot have this data: as qcow2 it needs a backing file; make one whole file of it with qemu-img convert',
    );
  });

  it('tells a person which format to set', () => {
    const judge = new FormatJudge({ id: 'an-id', diskFormat: 'raw', containerFormat: 'bare', properties: {} }, RULES);

    expect(() => judge.write(vmdk())).toThrow(
      'The disk_format of image an-id is raw, but the data is vmdk; set disk_format to vmdk, or convert it',
    );
  });

  it('is refused before the rest has come', () => {
    function* endless(head: Buffer) {
      yield head;
      for (;;) yield plain();
    }

    expect(outcome(() => endless(qcow2({ backingFile: 'a' })), 'qcow2')).toEqual({
      verdict: 'backing_file',
      seenBytes: 131_072,
    });
    expect(outcome(() => endless(plain()), 'qcow2')).toEqual({ verdict: 'found null', seenBytes: 131_072 });
  });
});

const BODIES = [
  ...Object.values(SAMPLES),
  vmdk({ footer: {} }),
  fixedVhd(plain()),
  withGpt(iso()),
  luks(),
  qed(),
  over(qcow2(), 64, vdi()),
  Buffer.from(flat),
];
/** A file that begins well, with bytes changed anywhere that is read. */
const mutated = fc
  .record({
    body: fc.constantFrom(...BODIES),
    changes: fc.array(fc.record({ at: fc.oneof(fc.nat(600), fc.nat(70_000), fc.nat(2_300_000)), byte: fc.nat(255) }), {
      maxLength: 12,
    }),
    length: fc.oneof(fc.constant(Infinity), fc.nat(140_000)),
  })
  .map(({ body, changes, length }) => {
    const bytes = Buffer.from(body.subarray(0, length));
    for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
    return bytes;
  });
const declaredFormat = fc.constantFrom(...Object.keys(SAMPLES), 'ami');

describe('any data', () => {
  it('gets a verdict, and the same one however it is cut', () => {
    fc.assert(
      fc.property(
        mutated,
        declaredFormat,
        fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 8 }),
        (bytes, declared, cuts) => {
          const whole = outcome(() => [bytes], declared).verdict;
          const cut = outcome(function* () {
            for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
              const length = cuts[turn % cuts.length]!;
              yield bytes.subarray(at, at + length);
              at += length;
            }
          }, declared).verdict;
          expect(cut).toBe(whole);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('gets the same verdict byte by byte', () => {
    for (const body of [
      vmdk({ footer: {} }),
      fixedVhd(plain()),
      qcow2({ backingFile: 'a' }),
      iso(),
      vhd({ endKind: 4 }),
    ]) {
      for (const declared of ['vmdk', 'vhd', 'qcow2', 'iso', 'raw']) {
        expect(verdict(body, declared, { chunkBytes: 1 })).toBe(verdict(body, declared));
      }
    }
  });

  it('that is random gets a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), declaredFormat, (bytes, declared) => {
        outcome(() => [Buffer.from(bytes)], declared);
      }),
      { numRuns: 200 },
    );
  });

  it('costs next to nothing behind its headers', () => {
    const judge = new FormatJudge({ id: 'an-id', diskFormat: 'raw', containerFormat: 'bare', properties: {} }, RULES);
    const chunk = plain(64 * 1024);
    const hash = createHash('md5');
    const hashing = cpuOf(() => {
      for (let count = 0; count < 1_600; count += 1) hash.update(chunk);
    });
    const judging = cpuOf(() => {
      for (let count = 0; count < 160_000; count += 1) judge.write(chunk);
    });

    expect(judge.finish().virtualSizeBytes).toBe(160_000 * 64 * 1024);
    // 10 GB at a tenth of what it costs to hash them; measured against hashing, since machines differ.
    expect(judging).toBeLessThan(hashing * 10);
  });
});
