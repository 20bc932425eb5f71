import type { Finding, FormatReader } from './finding.js';

const DESCRIPTORS_AT = 32 * 1024;
const DESCRIPTOR_BYTES = 2048;
/** No disc has as many before the one that tells what it is. */
const MOST_DESCRIPTORS = 16;
const ISO_9660 = 'CD001';
const UDF: readonly string[] = ['NSR02', 'NSR03'];
/** What may stand in a volume recognition sequence beside those. */
const OTHERS: readonly string[] = ['BEA01', 'BOOT2', 'TEA01', 'CDW02'];

/** ISO 9660 and UDF. The 32 KiB before belong to whoever boots the disc. */
export function* readIso(finding: Finding): FormatReader {
  const sequence = yield { at: DESCRIPTORS_AT, length: MOST_DESCRIPTORS * DESCRIPTOR_BYTES };
  for (let at = 0; at < sequence.length; at += DESCRIPTOR_BYTES) {
    const id = sequence.toString('latin1', at + 1, at + 6);
    if (id === ISO_9660 || UDF.includes(id)) finding.recognised = true;
    else if (!OTHERS.includes(id)) return;
  }
}
