/** The smallest files that are disks of a format; what a test wants to be wrong, it says. */

const SECTOR = 512;
const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

/** Bytes with numbers and texts written into them. */
function layout(sizeBytes: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  write(bytes);
  return bytes;
}

export interface Qcow2 {
  readonly version?: number;
  readonly virtualSizeBytes?: bigint;
  readonly backingFile?: string;
  readonly clusterBits?: number;
  readonly incompatible?: bigint;
  readonly headerLength?: number;
  readonly l1Entries?: number;
  readonly refcountTableClusters?: number;
  readonly snapshots?: number;
  readonly encryption?: number;
  readonly extensions?: readonly { readonly type: number; readonly data: Buffer; readonly length?: number }[];
  readonly sizeBytes?: number;
}

export function qcow2(options: Qcow2 = {}): Buffer {
  const { version = 3, virtualSizeBytes = 1n << 30n, backingFile, extensions = [] } = options;
  return layout(options.sizeBytes ?? 128 * KIBIBYTE, (bytes) => {
    bytes.write('QFI\xfb', 'latin1');
    bytes.writeUInt32BE(version, 4);
    bytes.writeUInt32BE(options.clusterBits ?? 16, 20);
    bytes.writeBigUInt64BE(virtualSizeBytes, 24);
    bytes.writeUInt32BE(options.encryption ?? 0, 32);
    bytes.writeUInt32BE(options.l1Entries ?? 2, 36);
    bytes.writeUInt32BE(options.refcountTableClusters ?? 1, 56);
    bytes.writeUInt32BE(options.snapshots ?? 0, 60);
    let at = 72;
    if (version === 3) {
      bytes.writeBigUInt64BE(options.incompatible ?? 0n, 72);
      bytes.writeUInt32BE(4, 96);
      at = options.headerLength ?? 104;
      bytes.writeUInt32BE(at, 100);
    }
    for (const { type, data, length } of extensions) {
      bytes.writeUInt32BE(type, at);
      bytes.writeUInt32BE(length ?? data.length, at + 4);
      data.copy(bytes, at + 8);
      at += 8 + Math.ceil(data.length / 8) * 8;
    }
    if (backingFile === undefined) return;
    bytes.writeBigUInt64BE(4096n, 8);
    bytes.writeUInt32BE(backingFile.length, 16);
    bytes.write(backingFile, 4096);
  });
}

export function qed(features = 0n): Buffer {
  return layout(128 * KIBIBYTE, (bytes) => {
    bytes.write('QED\0', 'latin1');
    bytes.writeUInt32LE(64 * KIBIBYTE, 4);
    bytes.writeUInt32LE(4, 8);
    bytes.writeUInt32LE(1, 12);
    bytes.writeBigUInt64LE(features, 16);
    bytes.writeBigUInt64LE(1n << 30n, 48);
  });
}

export const VMDK_DESCRIPTOR = `# Disk DescriptorFile
version=1
CID=74a3e2b1
parentCID=ffffffff
createType="monolithicSparse"

# Extent description
RW 2097152 SPARSE "disk.vmdk"

# The Disk Data Base
ddb.virtualHWVersion = "4"
`;

export interface Vmdk {
  readonly descriptor?: string;
  readonly capacitySectors?: bigint;
  readonly descriptorAtSector?: bigint;
  readonly version?: number;
  readonly grainSectors?: bigint;
  /** A footer takes the place of the header, as in streams; `false`: it is promised but missing. */
  readonly footer?: Partial<{ capacitySectors: bigint; descriptorAtSector: bigint }> | false;
}

export function vmdk(options: Vmdk = {}): Buffer {
  const { capacitySectors = 2_097_152n, descriptorAtSector = 1n, footer } = options;
  const header = (capacity: bigint, descriptorAt: bigint, directoryAt: bigint) =>
    layout(SECTOR, (bytes) => {
      bytes.write('KDMV');
      bytes.writeUInt32LE(options.version ?? 1, 4);
      bytes.writeUInt32LE(3, 8);
      bytes.writeBigUInt64LE(capacity, 12);
      bytes.writeBigUInt64LE(options.grainSectors ?? 128n, 20);
      bytes.writeBigUInt64LE(descriptorAt, 28);
      bytes.writeBigUInt64LE(20n, 36);
      bytes.writeUInt32LE(512, 44);
      bytes.writeBigUInt64LE(directoryAt, 56);
      bytes.write('\n \r\n', 73);
    });
  const descriptor = layout(20 * SECTOR, (bytes) => bytes.write(options.descriptor ?? VMDK_DESCRIPTOR));
  const atEnd = footer === undefined ? 21n : 0xffff_ffff_ffff_ffffn;
  const parts = [header(capacitySectors, descriptorAtSector, atEnd), descriptor, Buffer.alloc(128 * KIBIBYTE)];
  if (footer) {
    const marker = layout(SECTOR, (bytes) => bytes.writeUInt32LE(3, 12));
    const last = header(
      footer.capacitySectors ?? capacitySectors,
      footer.descriptorAtSector ?? descriptorAtSector,
      21n,
    );
    parts.push(marker, last, Buffer.alloc(SECTOR));
  }
  return Buffer.concat(parts);
}

export function vdi(
  options: { kind?: number; link?: Buffer; virtualSizeBytes?: bigint; blocks?: number } = {},
): Buffer {
  return layout(128 * KIBIBYTE, (bytes) => {
    bytes.write('<<< Oracle VM VirtualBox Disk Image >>>\n');
    bytes.writeUInt32LE(0xbeda107f, 64);
    bytes.writeUInt32LE(0x00010001, 68);
    bytes.writeUInt32LE(0x190, 72);
    bytes.writeUInt32LE(options.kind ?? 1, 76);
    bytes.writeUInt32LE(SECTOR, 360);
    bytes.writeBigUInt64LE(options.virtualSizeBytes ?? 1n << 30n, 368);
    bytes.writeUInt32LE(MEBIBYTE, 376);
    bytes.writeUInt32LE(options.blocks ?? 1024, 384);
    options.link?.copy(bytes, 424);
  });
}

export function vhdFooter(kind: number, sizeBytes: bigint): Buffer {
  return layout(SECTOR, (bytes) => {
    bytes.write('conectix');
    bytes.writeUInt32BE(2, 8);
    bytes.writeUInt32BE(0x10000, 12);
    bytes.writeBigUInt64BE(kind === 2 ? 0xffff_ffff_ffff_ffffn : 512n, 16);
    bytes.writeBigUInt64BE(sizeBytes, 40);
    bytes.writeBigUInt64BE(sizeBytes, 48);
    bytes.writeUInt32BE(kind, 60);
    const sum = bytes.reduce((total, byte) => total + byte, 0);
    bytes.writeUInt32BE(~sum >>> 0, 64);
  });
}

export function vhd(options: { kind?: number; entries?: number; endKind?: number } = {}): Buffer {
  const size = 1n << 30n;
  const header = layout(1024, (bytes) => {
    bytes.write('cxsparse');
    bytes.writeUInt32BE(options.entries ?? 512, 28);
    bytes.writeUInt32BE(2 * MEBIBYTE, 32);
  });
  const footer = vhdFooter(options.kind ?? 3, size);
  return Buffer.concat([
    footer,
    header,
    Buffer.alloc(128 * KIBIBYTE),
    vhdFooter(options.endKind ?? options.kind ?? 3, size),
  ]);
}

export function fixedVhd(content: Buffer): Buffer {
  return Buffer.concat([content, vhdFooter(2, BigInt(content.length))]);
}

export interface Vhdx {
  readonly metadataAt?: number;
  readonly hasParent?: boolean;
  readonly parentLocator?: boolean;
  readonly virtualSizeBytes?: bigint;
  readonly otherTables?: boolean;
}

export function vhdx(options: Vhdx = {}): Buffer {
  const metadataAt = options.metadataAt ?? 2 * MEBIBYTE;
  return layout(metadataAt + 2 * MEBIBYTE, (bytes) => {
    bytes.write('vhdxfile');
    for (const at of [192 * KIBIBYTE, 256 * KIBIBYTE]) {
      bytes.write('regi', at);
      bytes.writeUInt32LE(1, at + 8);
      bytes.write('06a27c8b90479a4bb8fe575f050f886e', at + 16, 'hex');
      bytes.writeBigUInt64LE(BigInt(metadataAt), at + 32);
      bytes.writeUInt32LE(MEBIBYTE, at + 40);
    }
    if (options.otherTables) bytes.writeUInt32LE(7, 256 * KIBIBYTE + 44);
    bytes.write('metadata', metadataAt);
    const items: [string, number][] = [
      ['3767a1ca36fa434db3b633f0aa44e76b', 64 * KIBIBYTE],
      ['2442a52f1bcd7648b2115dbed83bf4b8', 64 * KIBIBYTE + 8],
    ];
    if (options.parentLocator) items.push(['2d5fd3a80bb34d45abf7d3d84834ab0c', 64 * KIBIBYTE + 32]);
    bytes.writeUInt16LE(items.length, metadataAt + 10);
    items.forEach(([id, at], index) => {
      bytes.write(id, metadataAt + 32 + index * 32, 'hex');
      bytes.writeUInt32LE(at, metadataAt + 32 + index * 32 + 16);
    });
    bytes.writeUInt32LE(8 * MEBIBYTE, metadataAt + 64 * KIBIBYTE);
    bytes.writeUInt32LE(options.hasParent ? 2 : 0, metadataAt + 64 * KIBIBYTE + 4);
    bytes.writeBigUInt64LE(options.virtualSizeBytes ?? 1n << 30n, metadataAt + 64 * KIBIBYTE + 8);
  });
}

export function ploop(): Buffer {
  return layout(128 * KIBIBYTE, (bytes) => {
    bytes.write('WithouFreSpacExt');
    bytes.writeUInt32LE(2, 16);
    bytes.writeUInt32LE(2048, 28);
    bytes.writeBigUInt64LE(2_097_152n, 36);
  });
}

/** A disc that is empty but for its volume descriptors. */
export function iso(ids: readonly string[] = ['CD001', 'CD001']): Buffer {
  return layout(128 * KIBIBYTE, (bytes) =>
    ids.forEach((id, index) => bytes.write(`\x01${id}`, 32 * KIBIBYTE + index * 2048)),
  );
}

/** A partition table, in place of what lies in the first sector's end. */
export function withMbr(content: Buffer): Buffer {
  const bytes = Buffer.from(content);
  bytes.fill(0, 446, 512);
  bytes[446] = 0x80;
  bytes[450] = 0x83;
  bytes.writeUInt32LE(2048, 454);
  bytes.writeUInt32LE(4096, 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

export function withGpt(content: Buffer): Buffer {
  const bytes = withMbr(content);
  bytes.write('EFI PART', 512);
  return bytes;
}

export function luks(): Buffer {
  return layout(128 * KIBIBYTE, (bytes) => bytes.write('4c554b53babe0002', 'hex'));
}

/** What nothing is recognised in. */
export function plain(sizeBytes = 128 * KIBIBYTE): Buffer {
  return Buffer.alloc(sizeBytes, 'plain bytes ');
}

/** One file's header written over another file. */
export function over(head: Buffer, headBytes: number, content: Buffer): Buffer {
  const bytes = Buffer.from(content);
  head.copy(bytes, 0, 0, headBytes);
  return bytes;
}
