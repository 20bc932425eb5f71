import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { KilnError } from '../../../common/errors.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import { ArtifactsService, type ArtifactWithFile, parseAddress } from '../../artifacts/index.js';
import { BuildFailedError, type ScriptsOrder } from '../builder.js';
import type { Job } from '../job.entity.js';
import type { ScriptedCustomize } from '../jobs.types.js';

/** Of all scripts of one job: they travel in one piece to wherever the job is built. */
export const SCRIPTS_BYTES = 512 * 1024;

/** Reads the scripts of jobs that customise without a person. */
@Injectable()
export class ScriptSources {
  constructor(
    private readonly artifacts: ArtifactsService,
    private readonly egress: EgressClient,
  ) {}

  /**
   * The texts, as they are now.
   * @throws BuildFailedError naming the script that cannot be had
   */
  async read(job: Job, { updateOsPackages, scripts }: ScriptedCustomize, signal: AbortSignal): Promise<ScriptsOrder> {
    const items: { name: string; text: string }[] = [];
    let left = SCRIPTS_BYTES;
    for (const [index, script] of scripts.entries()) {
      const url = script.url.replace(/^[a-z\d]+:/i, (scheme) => scheme.toLowerCase());
      const name = nameOf(url, index);
      const bytes = await this.bytesOf(job, url, name, left, signal);
      left -= bytes.length;
      items.push({ name, text: textOf(bytes, name) });
    }
    return { updateOsPackages, items };
  }

  private async bytesOf(job: Job, url: string, name: string, limit: number, signal: AbortSignal): Promise<Buffer> {
    try {
      return await collect(await this.open(job, url, limit, signal), limit, name);
    } catch (error) {
      // What is ours may be better a moment later; what others answer is not.
      if (signal.aborted || !(error instanceof KilnError) || isOurs(error)) throw error;
      throw failed(name, `cannot be read: ${error.message}`, error);
    }
  }

  private async open(job: Job, url: string, limit: number, signal: AbortSignal): Promise<Readable | Buffer> {
    if (url.startsWith('data:'))
      return readDataUrl(url) ?? Promise.reject(failed(nameOf(url, 0), 'is no data: address'));
    if (!url.startsWith('s3://')) return (await this.egress.get(url, { maxBytes: limit, signal })).body;
    const look = async (): Promise<ArtifactWithFile> => {
      const found = await this.artifacts.findWithFile(job.projectId, parseAddress(url));
      // One that a delete has moved is not there any more.
      if (!found || found.artifact.movedFromKey !== null) throw failed(url, 'cannot be read: there is no such object');
      return found;
    };
    return (await this.artifacts.openFound(await look(), look)).bytes;
  }
}

/** `data:[<media type>][;base64],<data>`; null: it is none. @see RFC 2397 */
export function readDataUrl(url: string): Buffer | null {
  const [, head, data] = /^data:([^,]*),(.*)$/s.exec(url) ?? [];
  if (head === undefined || data === undefined) return null;
  if (/;base64$/i.test(head)) return Buffer.from(data, 'base64');
  try {
    return Buffer.from(decodeURIComponent(data));
  } catch {
    return null;
  }
}

/** Fit for a log that others read: what may be a credential is left out. */
function nameOf(url: string, index: number): string {
  const place = url.startsWith('data:') ? '' : ` (${url.replace(/^(\w+:\/\/)[^/@]*@/, '$1').replace(/[?#].*$/s, '')})`;
  return `script ${index + 1}${place.slice(0, 300)}`;
}

async function collect(body: Readable | Buffer, limit: number, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Left by a failure, the loop destroys the body.
  for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
    size += (chunk as Buffer).length;
    if (size > limit) throw failed(name, `is too long: all scripts of a job have ${SCRIPTS_BYTES} bytes at most`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function textOf(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw failed(name, 'is no text', error);
  }
}

function failed(name: string, what: string, cause?: unknown): BuildFailedError {
  return new BuildFailedError('build.script_failed', `${name.replace(/^s/, 'S')} ${what}`, { cause });
}

function isOurs(error: KilnError): boolean {
  return error.kind === 'unavailable' && !error.code.startsWith('egress.');
}
