import type { Readable } from 'node:stream';
import type { ByteProbe } from '../../artifacts/index.js';
import type { BuilderReadiness } from '../builder.js';

/** What data is to be unpacked or converted, and what is said of it. */
export interface ConversionOrder {
  readonly jobId: string;
  /** Distinguishes executions of one job, so that a second one never meets the first one's files. */
  readonly attempt: number;
  readonly diskFormat: string;
  readonly containerFormat: string;
  /** A probe that refuses what is not of `diskFormat` or not safe to open; asked before any program opens the data. */
  judge(): Promise<ByteProbe & { finish(): unknown }>;
}

/** Data that was unpacked or converted, readable until `dispose` is called. */
export interface ConvertedData {
  readonly diskFormat: string;
  readonly containerFormat: string;
  readonly sizeBytes: number;
  open(): Promise<Readable>;
  /** Removes its files. Safe to call twice. */
  dispose(): Promise<void>;
}

/** Unpacks and converts the data of images on its way in, as the operator has set. */
export abstract class ImageConverter {
  /** Whether data of these formats may have to be unpacked or converted here. */
  abstract handles(diskFormat: string, containerFormat: string): boolean;

  /** Whether it can do what the operator has set; nothing where nothing is set. */
  abstract readiness(): Promise<BuilderReadiness[]>;

  /**
   * @param source opens the data, each time from its start
   * @param signal aborts on cancel, lost lease or shutdown: every process and file is gone before the promise rejects
   * @returns null: the data is to be taken as it is
   * @throws BuildFailedError with the cause to show; whatever the order's probe throws
   */
  abstract convert(
    order: ConversionOrder,
    source: () => Promise<Readable>,
    signal: AbortSignal,
  ): Promise<ConvertedData | null>;
}
