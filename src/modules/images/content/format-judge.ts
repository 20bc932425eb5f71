import type { Config } from '../../../config/config.js';
import { DiskInspector } from '../../../common/disk-format/disk-inspector.js';
import type { DiskFaultCode, DiskFormat, Finding } from '../../../common/disk-format/finding.js';
import { ImageContentUnsafeError, ImageFormatMismatchError } from './content.errors.js';
import type { ContentClaim, ContentVerdict } from './image-content.service.js';

/** Formats with a header of their own, which programs open by what it says. Everything else is opened as bytes. */
const WITH_HEADER: ReadonlySet<DiskFormat> = new Set(['qcow2', 'qed', 'vmdk', 'vdi', 'vhd', 'vhdx', 'ploop']);
/** What may be found on one disk: a disc that boots from a stick as well. */
const TOGETHER: ReadonlySet<DiskFormat> = new Set(['iso', 'gpt', 'mbr']);

const REMEDIES: Readonly<Record<DiskFaultCode, string>> = {
  backing_file: 'make one whole file of it with qemu-img convert',
  data_file: 'make one whole file of it with qemu-img convert',
  foreign_extent: 'make one file of it with qemu-img convert -O vmdk -o subformat=streamOptimized',
  subformat: 'make one file of it with qemu-img convert -O vmdk -o subformat=streamOptimized',
  unknown_feature: 'write it anew with qemu-img convert',
  malformed: 'write it anew with qemu-img convert',
  truncated: 'send the whole file',
};

/** Judges whether the data of an image is of the format that it says, and safe to open. */
export class FormatJudge {
  private readonly inspector = new DiskInspector(() => this.judge());
  private ended = false;

  constructor(
    private readonly claim: ContentClaim,
    private readonly rules: Pick<Config['images'], 'checksFormat' | 'virtualSizeMaxBytes'>,
  ) {}

  /** @throws ImageContentUnsafeError, ImageFormatMismatchError as soon as the bytes show it */
  write(chunk: Buffer): void {
    this.inspector.write(chunk);
  }

  /** @throws what `write` throws */
  finish(): ContentVerdict {
    this.ended = true;
    this.inspector.end();
    return { virtualSizeBytes: this.virtualSizeBytes() };
  }

  private get isBare(): boolean {
    return this.claim.containerFormat === 'bare';
  }

  private judge(): void {
    const { findings } = this.inspector;
    this.refuseSeveral(findings);
    if (this.rules.checksFormat && this.isBare) this.refuseOther(findings);
    findings.forEach((finding) => this.refuseUnsafe(finding));
    if (this.inspector.fixedVhd) this.refuseUnsafe(this.inspector.fixedVhd);
  }

  /** One program would see this disk in it and the next one that. */
  private refuseSeveral(findings: readonly Finding[]): void {
    const formats = findings.map(({ format }) => format);
    const { fixedVhd } = this.inspector;
    if (fixedVhd && formats.some((format) => WITH_HEADER.has(format))) formats.push(fixedVhd.format);
    if (formats.length < 2 || formats.every((format) => TOGETHER.has(format))) return;
    throw new ImageContentUnsafeError(this.claim.id, 'several_formats', `it is ${formats.join(' and ')} at once`);
  }

  private refuseOther(findings: readonly Finding[]): void {
    const declared = this.claim.diskFormat!;
    const found = findings.find(({ format }) => WITH_HEADER.has(format))?.format ?? null;
    if (this.isAsDeclared(declared, found, findings)) return;
    throw new ImageFormatMismatchError(this.claim.id, declared, found ?? this.fixedOrDisc(findings));
  }

  private isAsDeclared(declared: string, found: DiskFormat | null, findings: readonly Finding[]): boolean {
    switch (declared) {
      case 'raw':
      case 'ploop':
        // ploop is often kept as bare bytes, and no program takes bytes for ploop by itself.
        return found === null || found === 'ploop';
      case 'iso':
        return findings.some(({ format }) => format === 'iso');
      case 'vhd':
        // A fixed one is bytes like any others until its last sector.
        return found === 'vhd' || (found === null && (!this.ended || this.inspector.fixedVhd !== null));
      case 'qcow2':
      case 'vmdk':
      case 'vdi':
      case 'vhdx':
        return found === declared;
      default:
        return true;
    }
  }

  private fixedOrDisc(findings: readonly Finding[]): string | null {
    if (findings.some(({ format }) => format === 'iso')) return 'iso';
    return this.inspector.fixedVhd ? 'vhd' : null;
  }

  private refuseUnsafe({ format, faults, virtualSizeBytes }: Finding): void {
    const { id } = this.claim;
    const [fault] = faults;
    if (fault) {
      const { code, message } = fault;
      throw new ImageContentUnsafeError(id, code, `as ${format} ${message}; ${REMEDIES[code]}`);
    }
    const limit = this.rules.virtualSizeMaxBytes;
    if (virtualSizeBytes !== null && virtualSizeBytes > limit) {
      const size = Number.isFinite(virtualSizeBytes) ? `of ${virtualSizeBytes} bytes` : 'of no possible size';
      throw new ImageContentUnsafeError(id, 'virtual_size', `it is a disk ${size}, and ${limit} bytes are allowed`);
    }
  }

  private virtualSizeBytes(): number | null {
    const { diskFormat } = this.claim;
    const { findings, fixedVhd, sizeBytes } = this.inspector;
    const found = [...findings, fixedVhd].find((finding) => finding?.format === diskFormat);
    if (found) return found.virtualSizeBytes ?? sizeBytes;
    // Bytes in a container are not yet the disk.
    return diskFormat === 'raw' && this.isBare ? sizeBytes : null;
  }
}
