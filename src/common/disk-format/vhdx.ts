import { type Finding, type FormatReader, isPowerOfTwo, toSize } from './finding.js';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const REGION_TABLES_AT = 192 * KIBIBYTE;
const TABLE_BYTES = 64 * KIBIBYTE;
const MOST_ENTRIES = 2047;
const HAS_PARENT = 0b10;

const METADATA_REGION = guid('8b7ca206-4790-4b9a-b8fe-575f050f886e');
const FILE_PARAMETERS = guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b');
const VIRTUAL_DISK_SIZE = guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8');
const PARENT_LOCATOR = guid('a8d35f2d-b30b-454d-abf7-d3d84834ab0c');

interface Item {
  readonly id: string;
  readonly at: number;
}

/** @see MS-VHDX */
export function* readVhdx(finding: Finding): FormatReader {
  const start = yield { at: 0, length: 8 };
  if (start.toString('latin1') !== 'vhdxfile') return;
  finding.recognised = true;
  const tables = yield { at: REGION_TABLES_AT, length: 2 * TABLE_BYTES };
  if (tables.length < 2 * TABLE_BYTES) return finding.fault('truncated', 'it ends within its region tables');
  const first = tables.subarray(0, TABLE_BYTES);
  // Programs read the second where they do not like the first.
  if (!first.equals(tables.subarray(TABLE_BYTES)))
    return finding.fault('malformed', 'its region tables contradict each other');
  const metadataAt = findMetadata(finding, first);
  if (metadataAt === null) return;
  const table = yield { at: metadataAt, length: TABLE_BYTES };
  if (table.length < TABLE_BYTES) return finding.fault('truncated', 'it ends within its metadata');
  const items = readItems(finding, table, metadataAt);
  if (items === null) return;
  for (const { id, at } of items) {
    const value = yield { at, length: 8 };
    if (value.length < 8) return finding.fault('truncated', 'it ends within its metadata');
    if (id === VIRTUAL_DISK_SIZE) finding.virtualSizeBytes = toSize(value.readBigUInt64LE(0));
    else checkParameters(finding, value);
  }
}

function findMetadata(finding: Finding, table: Buffer): number | null {
  const count = table.readUInt32LE(8);
  const found: number[] = [];
  if (table.toString('latin1', 0, 4) === 'regi' && count <= MOST_ENTRIES) {
    for (let at = 16; at < 16 + count * 32; at += 32) {
      if (idAt(table, at) === METADATA_REGION) found.push(toSize(table.readBigUInt64LE(at + 16)));
    }
  }
  const [metadataAt] = found;
  if (found.length === 1 && metadataAt! >= MEBIBYTE && Number.isFinite(metadataAt)) return metadataAt!;
  finding.fault('malformed', 'its region table does not say where its metadata is');
  return null;
}

/** The items that matter, in the order in which they come. */
function readItems(finding: Finding, table: Buffer, metadataAt: number): Item[] | null {
  const count = table.readUInt16LE(10);
  const items: Item[] = [];
  if (table.toString('latin1', 0, 8) === 'metadata' && count <= MOST_ENTRIES) {
    for (let at = 32; at < 32 + count * 32; at += 32) {
      const id = idAt(table, at);
      if (id === PARENT_LOCATOR) finding.fault('backing_file', 'it holds only the changes to another disk');
      if (id !== FILE_PARAMETERS && id !== VIRTUAL_DISK_SIZE) continue;
      items.push({ id, at: metadataAt + table.readUInt32LE(at + 16) });
    }
  }
  items.sort((one, other) => one.at - other.at);
  const [first, second] = items;
  const isSound =
    items.length === 2 &&
    first!.id !== second!.id &&
    first!.at >= metadataAt + TABLE_BYTES &&
    second!.at >= first!.at + 8 &&
    second!.at < metadataAt + 2 * MEBIBYTE;
  if (isSound) return items;
  finding.fault('malformed', 'its metadata does not tell how large it is');
  return null;
}

function checkParameters(finding: Finding, value: Buffer): void {
  const blockBytes = value.readUInt32LE(0);
  if (blockBytes < MEBIBYTE || blockBytes > 256 * MEBIBYTE || !isPowerOfTwo(blockBytes)) {
    finding.fault('malformed', 'its block size is out of range');
  }
  if (value.readUInt32LE(4) & HAS_PARENT) finding.fault('backing_file', 'it holds only the changes to another disk');
}

function idAt(table: Buffer, at: number): string {
  return table.toString('hex', at, at + 16);
}

/** As it stands in the file: the first three parts are little-endian. */
function guid(text: string): string {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes.toString('hex');
}
