import { type Finding, type FormatReader, toSize } from './finding.js';

const SECTOR = 512;
/** The older one counts sectors in 32 bits. */
const OLD_MAGIC = 'WithoutFreeSpace';
const MAGIC = 'WithouFreSpacExt';

/** Parallels and Virtuozzo; @see docs/interop/parallels.txt of QEMU */
export function* readPloop(finding: Finding): FormatReader {
  const header = yield { at: 0, length: 64 };
  const magic = header.toString('latin1', 0, 16);
  if (magic !== MAGIC && magic !== OLD_MAGIC) return;
  finding.recognised = true;
  if (header.length < 64) return finding.fault('truncated', 'it ends within its header');
  const sectors = magic === MAGIC ? toSize(header.readBigUInt64LE(36)) : header.readUInt32LE(36);
  finding.virtualSizeBytes = sectors * SECTOR;
  if (header.readUInt32LE(16) !== 2) finding.fault('unknown_feature', 'it is of an unknown version of its format');
  if (header.readUInt32LE(28) === 0) finding.fault('malformed', 'its cluster size is out of range');
}
