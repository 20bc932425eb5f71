import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { loadConfig } from '../../config/config.js';
import { EgressClient } from './egress-client.js';
import type { LookupAll } from './guarded-connector.js';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server on one of this machine's addresses; all of 127.0.0.0/8 are. */
async function serve(listener: RequestListener, host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

function client(env: Record<string, string> = {}, lookup?: LookupAll): EgressClient {
  return new EgressClient(loadConfig(env).config.egress, lookup);
}

describe('EgressClient', () => {
  it('fetches what an address has to give, as it is sent', async () => {
    const seen: IncomingMessage[] = [];
    const port = await serve((request, response) => {
      seen.push(request);
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': 5 }).end('bytes');
    });

    const reply = await client({ KILN_EGRESS_ALLOW: `127.0.0.1:${port}` }).get(`http://127.0.0.1:${port}/a?b=c#d`);

    expect(reply).toMatchObject({ status: 200, sizeBytes: 5, url: `http://127.0.0.1:${port}/a?b=c` });
    expect((await buffer(reply.body)).toString()).toBe('bytes');
    expect(seen[0]!.url).toBe('/a?b=c');
    expect(seen[0]!.headers).toMatchObject({ 'accept-encoding': 'identity', host: `127.0.0.1:${port}` });
  });

  it('does not go to this machine unless the operator opened the place', async () => {
    let asked = 0;
    const port = await serve((_request, response) => {
      asked += 1;
      response.end();
    });

    await expect(client({ KILN_EGRESS_PORTS: String(port) }).get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'egress.refused',
    });

    expect(asked).toBe(0);
  });
});
