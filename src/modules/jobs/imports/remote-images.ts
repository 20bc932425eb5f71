import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import type { ImageProperties } from '../../images/index.js';
import type { ImportSource } from './import-sources.js';
import { ImportSourceError } from './imports.errors.js';

/** An image as the Image API of another region names it. */
export interface RemoteImage {
  readonly region: string;
  readonly serviceInterface: string;
  readonly imageId: string;
  /** With which the other side is asked; it decides what that may see. */
  readonly token: string | null;
}

const LONGEST_RECORD_BYTES = 1024 * 1024;
/** What is said of the hardware and the system inside; the rest belongs to the image that it was said of. */
const TAKEN = /^(hw_|trait:|os_(?!glance|hash_|hidden$))/;

/** Images of other deployments, through the Image API that they serve. */
@Injectable()
export class RemoteImages {
  constructor(
    private readonly egress: EgressClient,
    private readonly config: Config,
  ) {}

  /**
   * Looks an image up, as whoever asked for the import.
   * @throws ImportSourceError no such region or interface, no such image there, or one without data
   * @throws EgressFailedError, EgressRefusedError
   */
  async find(where: RemoteImage, signal: AbortSignal): Promise<ImportSource> {
    const address = `${this.endpoint(where)}/v2/images/${where.imageId}`;
    const headers: Record<string, string> = where.token === null ? {} : { 'x-auth-token': where.token };
    const record = await this.record(address, headers, signal);
    if (record.status !== 'active') {
      throw new ImportSourceError(`Image ${where.imageId} of region ${where.region} has no data that could be fetched`);
    }
    return {
      properties: takenProperties(record),
      diskFormat: textOf(record.disk_format),
      containerFormat: textOf(record.container_format),
      sha512: record.os_hash_algo === 'sha512' ? (textOf(record.os_hash_value) ?? null) : null,
      // The operator's word, as the service catalogue is.
      open: (during) =>
        this.egress.get(`${address}/file`, {
          signal: during,
          headers,
          trusted: true,
          maxBytes: this.config.images.sizeMaxBytes,
        }),
    };
  }

  private endpoint({ region, serviceInterface }: RemoteImage): string {
    const interfaces = this.config.imports.regions[region];
    if (!interfaces) throw new ImportSourceError(`There is no region ${region.slice(0, 100)}`);
    const endpoint = interfaces[serviceInterface];
    if (!endpoint) {
      throw new ImportSourceError(
        `Region ${region} has no image service on interface ${serviceInterface.slice(0, 100)}`,
      );
    }
    return endpoint;
  }

  private async record(address: string, headers: Record<string, string>, signal: AbortSignal) {
    const maxBytes = LONGEST_RECORD_BYTES;
    const reply = await this.egress.get(address, { signal, headers, trusted: true, maxBytes });
    const chunks: Buffer[] = [];
    for await (const chunk of reply.body) chunks.push(chunk as Buffer);
    try {
      const record: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      if (typeof record === 'object' && record !== null) return record as Readonly<Record<string, unknown>>;
    } catch {
      // Told below.
    }
    throw new ImportSourceError('The image service of the other region answers with something that is no image');
  }
}

/** What is taken over of an image's properties. */
export function takenProperties(properties: Readonly<Record<string, unknown>>): ImageProperties {
  return Object.fromEntries(
    Object.entries(properties).filter(
      (property): property is [string, string] => TAKEN.test(property[0]) && typeof property[1] === 'string',
    ),
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
