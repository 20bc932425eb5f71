import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

/** Sees a request before the server does; true if it answered or destroyed it. */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A running S3 server with one bucket. */
export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Lets a test break requests; null ends that. */
  interfere(interference: Interference | null): void;
  /** Multipart uploads that were neither completed nor aborted. */
  unfinishedUploads(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Starts s3rver (an S3 server in JavaScript) in this process, on a free port and a folder of its own.
 *
 * It checks access keys but accepts any secret, and has neither part copies nor lists of parts and uploads. It cannot
 * abort a multipart upload either; that one is added here.
 */
export async function startS3Server(bucket = 'kiln-test'): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'kiln-s3-'));
  const s3rver = new S3rver({
    directory,
    silent: true,
    vhostBuckets: false,
    allowMismatchedSignatures: true,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  await s3rver.configureBuckets();
  const answer = s3rver.callback();
  const uploads = join(directory, bucket, '._S3rver_uploads');
  const aborted = new Set<string>();
  let interference: Interference | null = null;
  const server = createServer((request, response) => {
    if (interference?.(request, response)) return;
    const uploadId = new URL(request.url!, 'http://s3').searchParams.get('uploadId');
    if (request.method === 'DELETE' && uploadId) {
      // Its folder stays: the server may still be writing to it, and would end the process if it vanished.
      aborted.add(uploadId);
      response.writeHead(204).end();
    } else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket,
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    interfere: (next) => (interference = next),
    unfinishedUploads: async () => (await readdir(uploads).catch(() => [])).filter((id) => !aborted.has(id)).length,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      s3rver.logger.exceptions.unhandle();
      s3rver.logger.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
