/** What the first bytes (and a few later ones) of a file can show it to be. */
export type DiskFormat = 'qcow2' | 'qed' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'ploop' | 'iso' | 'gpt' | 'mbr' | 'luks';

export type DiskFaultCode =
  'backing_file' | 'data_file' | 'foreign_extent' | 'subformat' | 'unknown_feature' | 'malformed' | 'truncated';

/** Why a file must not be opened as what it is. */
export interface DiskFault {
  readonly code: DiskFaultCode;
  /** One sentence of what is wrong, without a full stop. */
  readonly message: string;
}

/** A range of the file that a reader asks for. */
export interface Wanted {
  readonly at: number;
  readonly length: number;
}

/**
 * Reads one format. Each `yield` waits for a range and gets its bytes, fewer where the file ends before. Ranges of one
 * reader ascend without overlap, because the file passes only once; none is longer than 128 KiB.
 */
export type FormatReader = Generator<Wanted, void, Buffer>;

/** What one reader found. */
export class Finding {
  recognised = false;
  /** Size of the disk inside; null: not told (yet). */
  virtualSizeBytes: number | null = null;
  readonly faults: DiskFault[] = [];
  /** Looks at the last bytes of the file, `TAIL_BYTES` at most. */
  atEnd: ((tail: Buffer, sizeBytes: number) => void) | undefined;

  constructor(readonly format: DiskFormat) {}

  fault(code: DiskFaultCode, message: string): void {
    this.faults.push({ code, message });
  }
}

/** Enough for the footers of vhd (one sector) and vmdk (three). */
export const TAIL_BYTES = 1536;

/** An unsigned 64-bit number as far as a number is exact; beyond that infinite, which is over every bound. */
export function toSize(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Infinity : Number(value);
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

/** Text of a file, fit for a message. */
export function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 60 ? `${printable.slice(0, 60)}…` : printable;
}
