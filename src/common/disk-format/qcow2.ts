import { type Finding, type FormatReader, toSize } from './finding.js';

const MAGIC = 0x514649fb;
const HEADER_V2_BYTES = 72;
const HEADER_V3_BYTES = 104;
/** More is a header that nobody writes; a cluster may be larger. */
const HEADERS_END = 64 * 1024;

const EXTERNAL_DATA = 1n << 2n;
/** dirty, corrupt, external data file, compression type, extended L2 entries */
const KNOWN_INCOMPATIBLE = 0b11111n;
const DATA_FILE_NAME = 0x44415441;

const LARGEST_L1_ENTRIES = (32 * 2 ** 20) / 8;
const LARGEST_REFCOUNT_TABLE = 8 * 2 ** 20;
const MOST_SNAPSHOTS = 65_536;

/** @see docs/interop/qcow2.txt of QEMU */
export function* readQcow2(finding: Finding): FormatReader {
  const header = yield { at: 0, length: HEADER_V2_BYTES };
  if (header.length < 8 || header.readUInt32BE(0) !== MAGIC) return;
  finding.recognised = true;
  if (header.length < HEADER_V2_BYTES) return finding.fault('truncated', 'it ends within its header');
  const version = header.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    return finding.fault('unknown_feature', `it is of version ${version} of its format; 2 and 3 are known`);
  }
  finding.virtualSizeBytes = toSize(header.readBigUInt64BE(24));
  const backingOffset = header.readBigUInt64BE(8);
  if (backingOffset !== 0n) finding.fault('backing_file', 'it needs a backing file');
  const clusterBits = header.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) return finding.fault('malformed', 'its cluster size is out of range');
  checkTables(finding, header, 2 ** clusterBits);

  let extensionsAt = HEADER_V2_BYTES;
  let readUpTo = HEADER_V2_BYTES;
  if (version === 3) {
    const more = yield { at: HEADER_V2_BYTES, length: HEADER_V3_BYTES - HEADER_V2_BYTES };
    readUpTo = HEADER_V3_BYTES;
    if (more.length < readUpTo - HEADER_V2_BYTES) return finding.fault('truncated', 'it ends within its header');
    checkFeatures(finding, more.readBigUInt64BE(0));
    if (more.readUInt32BE(24) > 6) finding.fault('malformed', 'its reference counts are out of range');
    extensionsAt = more.readUInt32BE(28);
    if (extensionsAt < HEADER_V3_BYTES || extensionsAt > Math.min(2 ** clusterBits, 4096) || extensionsAt % 8 !== 0) {
      return finding.fault('malformed', 'the length of its header is out of range');
    }
  }
  // What has one is refused anyway.
  if (backingOffset !== 0n) return;
  const end = Math.min(2 ** clusterBits, HEADERS_END);
  const rest = yield { at: readUpTo, length: end - readUpTo };
  readExtensions(finding, rest.subarray(extensionsAt - readUpTo), end === 2 ** clusterBits);
}

/** Bounds within which QEMU itself opens an image. */
function checkTables(finding: Finding, header: Buffer, clusterBytes: number): void {
  if (header.readUInt32BE(32) > 2) finding.fault('unknown_feature', 'its encryption is of an unknown kind');
  const tables =
    header.readUInt32BE(36) <= LARGEST_L1_ENTRIES &&
    header.readUInt32BE(56) * clusterBytes <= LARGEST_REFCOUNT_TABLE &&
    header.readUInt32BE(60) <= MOST_SNAPSHOTS;
  if (!tables) finding.fault('malformed', 'the sizes of its tables are out of range');
}

function checkFeatures(finding: Finding, incompatible: bigint): void {
  if (incompatible & EXTERNAL_DATA) finding.fault('data_file', 'it keeps its data in another file');
  const unknown = incompatible & ~KNOWN_INCOMPATIBLE;
  if (unknown !== 0n)
    finding.fault('unknown_feature', `it has unknown incompatible features (0x${unknown.toString(16)})`);
}

function readExtensions(finding: Finding, area: Buffer, isWholeCluster: boolean): void {
  let at = 0;
  while (at + 8 <= area.length) {
    const type = area.readUInt32BE(at);
    const length = area.readUInt32BE(at + 4);
    if (type === 0) return;
    if (type === DATA_FILE_NAME) return finding.fault('data_file', 'it keeps its data in another file');
    at += 8 + Math.ceil(length / 8) * 8;
    if (at > area.length) return finding.fault('malformed', 'its header extensions do not end');
  }
  if (!isWholeCluster) finding.fault('malformed', 'its header extensions do not end');
}
