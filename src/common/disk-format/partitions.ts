import type { Finding, FormatReader } from './finding.js';

const GPT_SIGNATURE = 'EFI PART';
const MBR_BYTES = 512;
const ENTRIES_AT = 446;
const ENTRY_BYTES = 16;

/** A GUID partition table, behind a sector of 512 or of 4096 bytes. */
export function* readGpt(finding: Finding): FormatReader {
  const start = yield { at: 0, length: 4096 + 8 };
  finding.recognised = [512, 4096].some((at) => start.toString('latin1', at, at + 8) === GPT_SIGNATURE);
}

/** A partition table of the first sector. Boot sectors of file systems end with the same two bytes. */
export function* readMbr(finding: Finding): FormatReader {
  const sector = yield { at: 0, length: MBR_BYTES };
  if (sector.length < MBR_BYTES || sector.readUInt16LE(510) !== 0xaa55) return;
  let partitions = 0;
  for (let at = ENTRIES_AT; at < ENTRIES_AT + 4 * ENTRY_BYTES; at += ENTRY_BYTES) {
    const [flag, type] = [sector[at]!, sector[at + 4]!];
    if (flag !== 0 && flag !== 0x80) return;
    if (type !== 0 && sector.readUInt32LE(at + 12) > 0) partitions += 1;
  }
  finding.recognised = partitions > 0;
}
