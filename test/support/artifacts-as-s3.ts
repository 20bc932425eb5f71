import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RunningKiln } from './kiln.js';

/** What a client of an S3 store is given. */
export interface ArtifactsAsS3 {
  readonly endpoint: string;
  close(): Promise<void>;
}

/**
 * Speaks as much of S3 as clients of the Image Management Service put and look at objects with, in front of the artifacts
 * of one project: `/bucket/key` is the same in both. Signatures are not looked at, and what is said of an object beside its
 * bytes (`x-amz-meta-…`) stays here.
 */
export async function artifactsAsS3(kiln: RunningKiln, token: string): Promise<ArtifactsAsS3> {
  const said = new Map<string, Record<string, string>>();
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/' } = request;
    const ask = async (): Promise<void> => {
      const reply = await fetch(`${kiln.url}/artifacts${new URL(url, 'http://s3').pathname}`, {
        method,
        headers: { 'x-auth-token': token },
        ...(method === 'PUT' ? { body: Readable.toWeb(request), duplex: 'half' } : {}),
      });
      // S3 says of a put that it is done, and nothing more.
      response.statusCode = method === 'PUT' && reply.ok ? 200 : reply.status;
      if (method === 'PUT') said.set(url, metadataOf(request));
      else for (const [name, value] of Object.entries(said.get(url) ?? {})) response.setHeader(name, value);
      for (const name of ['etag', 'content-length', 'content-type']) {
        const value = reply.headers.get(name);
        if (value !== null && (name === 'etag' || method !== 'PUT')) response.setHeader(name, value);
      }
      if (reply.body && method === 'GET') await pipeline(Readable.fromWeb(reply.body as never), response);
      else response.end();
    };
    ask().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function metadataOf({ headers }: IncomingMessage): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  return Object.fromEntries(entries) as Record<string, string>;
}
