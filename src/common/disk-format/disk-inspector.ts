import { type DiskFormat, Finding, type FormatReader, TAIL_BYTES, type Wanted } from './finding.js';
import { readIso } from './iso.js';
import { readLuks } from './luks.js';
import { readGpt, readMbr } from './partitions.js';
import { readPloop } from './ploop.js';
import { readQcow2 } from './qcow2.js';
import { readQed } from './qed.js';
import { readVdi } from './vdi.js';
import { findFixedVhd, readVhd } from './vhd.js';
import { readVhdx } from './vhdx.js';
import { readVmdk } from './vmdk.js';

const READERS: Readonly<Record<DiskFormat, (finding: Finding) => FormatReader>> = {
  qcow2: readQcow2,
  qed: readQed,
  vmdk: readVmdk,
  vdi: readVdi,
  vhd: readVhd,
  vhdx: readVhdx,
  ploop: readPloop,
  iso: readIso,
  gpt: readGpt,
  mbr: readMbr,
  luks: readLuks,
};

/** All formats are recognised, or not, by these first bytes; a fixed vhd only at the end. */
const BLOCK_BYTES = 64 * 1024;

/**
 * Finds out what a file is while it passes, and what is wrong with it. It keeps a few hundred KiB at the most, whatever
 * comes, and looks at nothing any more once it knows.
 *
 * Its findings change only between blocks, so what is concluded from them does not depend on how the file was cut.
 */
export class DiskInspector {
  private readonly readings = (Object.keys(READERS) as DiskFormat[]).map(
    (format) => new Reading(new Finding(format), READERS[format]),
  );
  private footer: Finding | null = null;
  private tail: Buffer = Buffer.alloc(0);
  private position = 0;
  private settled = false;

  /** @param onBlock called when there may be something new to conclude; what it throws, `write` or `end` throws */
  constructor(private readonly onBlock: () => void) {}

  /** What the file is by its first bytes, as far as it is known. */
  get findings(): readonly Finding[] {
    return this.readings.map(({ finding }) => finding).filter(({ recognised }) => recognised);
  }

  /** The disk that the last sector makes of whatever came before it; null: none, or the end has not come yet. */
  get fixedVhd(): Finding | null {
    return this.footer;
  }

  get sizeBytes(): number {
    return this.position;
  }

  write(chunk: Buffer): void {
    this.keepTail(chunk);
    if (this.settled) {
      this.position += chunk.length;
      return;
    }
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - (this.position % BLOCK_BYTES));
      this.readings.forEach((reading) => reading.take(piece, this.position));
      at += piece.length;
      this.position += piece.length;
      if (this.position % BLOCK_BYTES !== 0) continue;
      this.settled = this.readings.every(({ done }) => done);
      this.onBlock();
    }
  }

  /** To be called once, after the last byte. */
  end(): void {
    this.readings.forEach((reading) => reading.end());
    this.findings.forEach((finding) => finding.atEnd?.(this.tail, this.position));
    // A dynamic one ends with a footer too.
    if (this.findings.every(({ format }) => format !== 'vhd')) this.footer = findFixedVhd(this.tail, this.position);
    this.onBlock();
  }

  private keepTail(chunk: Buffer): void {
    const whole = chunk.length >= TAIL_BYTES ? chunk : Buffer.concat([this.tail, chunk]);
    this.tail = whole.subarray(-TAIL_BYTES);
  }
}

/** A reader and the bytes it waits for. */
class Reading {
  private readonly reader: FormatReader;
  private wanted: Wanted | null;
  private bytes = Buffer.alloc(0);
  private filled = 0;

  constructor(
    readonly finding: Finding,
    start: (finding: Finding) => FormatReader,
  ) {
    this.reader = start(finding);
    this.wanted = this.reader.next().value ?? null;
  }

  get done(): boolean {
    return this.wanted === null;
  }

  take(piece: Buffer, pieceAt: number): void {
    while (this.wanted !== null) {
      const from = this.wanted.at + this.filled - pieceAt;
      if (from >= piece.length) return;
      if (this.filled === 0) this.bytes = Buffer.alloc(this.wanted.length);
      this.filled += piece.copy(this.bytes, this.filled, from);
      if (this.filled === this.wanted.length) this.resume();
    }
  }

  /** The file has ended: what did not come will not come. */
  end(): void {
    while (this.wanted !== null) this.resume();
  }

  private resume(): void {
    const got = this.bytes.subarray(0, this.filled);
    this.filled = 0;
    this.bytes = Buffer.alloc(0);
    this.wanted = this.reader.next(got).value ?? null;
  }
}
