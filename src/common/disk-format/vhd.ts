import { Finding, type FormatReader, isPowerOfTwo, toSize } from './finding.js';

const COOKIE = 'conectix';
const FOOTER_BYTES = 512;
const DYNAMIC_HEADER_BYTES = 1024;
/** Nobody puts the second header anywhere but behind the first. */
const FARTHEST_HEADER = 64 * 1024;
const FIXED = 2;
const DYNAMIC = 3;
const DIFFERENCING = 4;

/** A copy of the footer at the start: every Virtual PC disk but a fixed one. */
export function* readVhd(finding: Finding): FormatReader {
  const footer = yield { at: 0, length: FOOTER_BYTES };
  if (!hasCookie(footer)) return;
  finding.recognised = true;
  if (footer.length < FOOTER_BYTES) return finding.fault('truncated', 'it ends within its header');
  const { kind, sizeBytes } = readFooter(footer);
  finding.virtualSizeBytes = sizeBytes;
  finding.atEnd = (tail) => {
    const last = tail.subarray(-FOOTER_BYTES);
    if (last.length < FOOTER_BYTES || !hasCookie(last)) return;
    const other = readFooter(last);
    if (other.kind !== kind || other.sizeBytes !== sizeBytes) {
      finding.fault('malformed', 'its first and last sectors contradict each other');
    }
  };
  if (kind === DIFFERENCING) return finding.fault('backing_file', 'it holds only the changes to another disk');
  if (kind !== DYNAMIC) return finding.fault('unknown_feature', `it is of an unknown kind (${kind})`);
  const headerAt = toSize(footer.readBigUInt64BE(16));
  if (headerAt < FOOTER_BYTES || headerAt > FARTHEST_HEADER)
    return finding.fault('malformed', 'its second header is not behind the first');
  const header = yield { at: headerAt, length: DYNAMIC_HEADER_BYTES };
  if (header.length < DYNAMIC_HEADER_BYTES) return finding.fault('truncated', 'it ends within its header');
  const blockBytes = header.readUInt32BE(32);
  const isSound =
    header.toString('latin1', 0, 8) === 'cxsparse' &&
    isPowerOfTwo(blockBytes) &&
    header.readUInt32BE(28) * blockBytes >= sizeBytes;
  if (!isSound) finding.fault('malformed', 'the sizes in its headers do not fit each other');
}

/** A fixed disk: what is on it, and one sector that says so at the very end. Null: it is none. */
export function findFixedVhd(tail: Buffer, fileBytes: number): Finding | null {
  const footer = tail.subarray(-FOOTER_BYTES);
  if (footer.length < FOOTER_BYTES || !hasCookie(footer)) return null;
  const { kind, sizeBytes } = readFooter(footer);
  if (kind !== FIXED || sizeBytes !== fileBytes - FOOTER_BYTES || !isChecksumRight(footer)) return null;
  const finding = new Finding('vhd');
  finding.recognised = true;
  finding.virtualSizeBytes = sizeBytes;
  return finding;
}

function hasCookie(footer: Buffer): boolean {
  return footer.toString('latin1', 0, 8) === COOKIE;
}

function readFooter(footer: Buffer): { kind: number; sizeBytes: number } {
  return { kind: footer.readUInt32BE(60), sizeBytes: toSize(footer.readBigUInt64BE(48)) };
}

function isChecksumRight(footer: Buffer): boolean {
  let sum = 0;
  footer.forEach((byte, at) => (sum += at >= 64 && at < 68 ? 0 : byte));
  return footer.readUInt32BE(64) === ~sum >>> 0;
}
