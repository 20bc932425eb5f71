import { type Finding, shown } from './finding.js';

/** Kinds that are one file, whole in itself. */
const ONE_FILE: readonly string[] = ['monolithicSparse', 'streamOptimized'];
/** What is wrong with a file that has no descriptor of its own. */
export const IN_PARTS = 'it is one part of a disk in several files';
const EXTENT = /^(RW|RDONLY|NOACCESS)\s/i;
const OWN_EXTENT = /^(?:RW|RDONLY)\s+\d+\s+SPARSE\s+"([^"/\\]*)"\s*$/;
const NO_PARENT = /^f{8}$/i;

/** Whether programs that guess would take a text for a VMDK descriptor: comments, then a version. */
export function isDescriptor(text: string): boolean {
  if (!text.startsWith('#')) return false;
  if (/^#\s*disk descriptorfile/i.test(text)) return true;
  const first = text.split(/[\r\n]+/).find((line) => !/^\s*(#|$)/.test(line));
  return first !== undefined && /^version=[123]\s*$/.test(first);
}

export function descriptorType(text: string): string | null {
  const value = /createType\s*=\s*"?([\w-]+)/i.exec(text)?.[1];
  return value === undefined ? null : shown(value);
}

/** Checks the descriptor within a sparse file: the disk must be this file and nothing else. */
export function checkDescriptor(finding: Finding, bytes: Buffer): void {
  const end = bytes.indexOf(0);
  const text = bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
  if (text === '') return finding.fault('subformat', IN_PARTS);
  // Programs take the first that they find, wherever it stands; so there must be one.
  const types = text.match(/createType/gi) ?? [];
  const type = descriptorType(text);
  if (types.length !== 1 || type === null) {
    finding.fault('malformed', 'its descriptor does not say of which kind it is');
  } else if (!ONE_FILE.includes(type)) {
    finding.fault('subformat', `it is of the kind ${type}; ${ONE_FILE.join(' and ')} are taken`);
  }
  checkParent(finding, text);
  const extents = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => EXTENT.test(line));
  if (extents.length !== 1 || !OWN_EXTENT.test(extents[0]!)) {
    const found = extents.find((extent) => !OWN_EXTENT.test(extent));
    finding.fault(
      'foreign_extent',
      found ? `it names data outside of itself (${shown(found)})` : 'its descriptor does not name one extent',
    );
  }
}

function checkParent(finding: Finding, text: string): void {
  const parents = [...text.matchAll(/parentCID\s*=\s*(\w*)/gi)].map((match) => match[1]!);
  if (/parentFileNameHint/i.test(text) || parents.some((parent) => !NO_PARENT.test(parent))) {
    finding.fault('backing_file', 'it holds only the changes to another disk');
  }
}
