import { type Finding, type FormatReader, isPowerOfTwo, toSize } from './finding.js';
import { checkDescriptor, descriptorType, IN_PARTS, isDescriptor } from './vmdk-descriptor.js';

const SECTOR = 512;
const SPARSE = 'KDMV';
const ESX_SPARSE = 'COWD';
/** Where VMware and QEMU put the descriptor: in sectors 1 to 20. */
const DESCRIPTOR_END = 64 * 1024;
/** Says that the directory of grains is named by a footer, because it was not known when the header was written. */
const AT_END = 0xffff_ffff_ffff_ffffn;
const FOOTER_MARKER = 3;

/** @see "Virtual Disk Format" of VMware */
export function* readVmdk(finding: Finding): FormatReader {
  const header = yield { at: 0, length: SECTOR };
  const magic = header.toString('latin1', 0, 4);
  if (magic === SPARSE) {
    finding.recognised = true;
    if (header.length < SECTOR) return finding.fault('truncated', 'it ends within its header');
    yield* readSparse(finding, header);
  } else if (magic === ESX_SPARSE) {
    finding.recognised = true;
    finding.fault('subformat', 'it is of the kind vmfsSparse');
  } else if (isDescriptor(header.toString('latin1'))) {
    finding.recognised = true;
    const rest = yield { at: SECTOR, length: DESCRIPTOR_END - SECTOR };
    const type = descriptorType(Buffer.concat([header, rest]).toString('latin1'));
    finding.fault(
      'foreign_extent',
      `it is only a descriptor${type === null ? '' : ` (${type})`}, its data is in other files`,
    );
  }
}

function* readSparse(finding: Finding, header: Buffer): FormatReader {
  const version = header.readUInt32LE(4);
  if (version < 1 || version > 3)
    finding.fault('unknown_feature', `it is of version ${version} of its format; 1 to 3 are known`);
  const capacity = toSize(header.readBigUInt64LE(12));
  finding.virtualSizeBytes = capacity * SECTOR;
  if (capacity === 0)
    return finding.fault('foreign_extent', 'it has no data of its own, only a descriptor of other files');
  const grain = toSize(header.readBigUInt64LE(20));
  if (!isPowerOfTwo(grain) || grain > 65_536 || header.readUInt32LE(44) === 0 || header.readUInt32LE(44) > 512) {
    finding.fault('malformed', 'the sizes of its grains are out of range');
  }
  if (header.readBigUInt64LE(56) === AT_END) finding.atEnd = (tail) => checkFooter(finding, header, tail);
  const descriptorAt = toSize(header.readBigUInt64LE(28)) * SECTOR;
  const descriptorBytes = toSize(header.readBigUInt64LE(36)) * SECTOR;
  if (descriptorAt === 0) return finding.fault('subformat', IN_PARTS);
  if (descriptorAt < SECTOR || descriptorBytes === 0 || descriptorAt + descriptorBytes > DESCRIPTOR_END) {
    return finding.fault('malformed', 'its descriptor is not behind its header');
  }
  const descriptor = yield { at: descriptorAt, length: descriptorBytes };
  if (descriptor.length < descriptorBytes) return finding.fault('truncated', 'it ends within its descriptor');
  checkDescriptor(finding, descriptor);
}

/** What stands there takes the place of the header, so it must say the same. */
function checkFooter(finding: Finding, header: Buffer, tail: Buffer): void {
  if (tail.length < 3 * SECTOR || tail.readUInt32LE(12) !== FOOTER_MARKER) {
    return finding.fault('truncated', 'it does not end with the footer that its header promises');
  }
  const footer = tail.subarray(SECTOR, 2 * SECTOR);
  // All but the place of the directory, which only the footer knows.
  const isSame = header.subarray(0, 48).equals(footer.subarray(0, 48));
  if (!isSame) finding.fault('malformed', 'its header and its footer contradict each other');
}
