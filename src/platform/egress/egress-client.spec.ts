import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { DnsServer } from '../../../test/support/servers/dns-server.js';
import { loadConfig } from '../../config/config.js';
import { EgressClient } from './egress-client.js';

const servers: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen<T extends Server | TcpServer>(server: T, host: string, port: number): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** A server on one of this machine's addresses; all of 127.0.0.0/8 are. */
function serve(listener: RequestListener, host = '127.0.0.1', port = 0): Promise<number> {
  return listen(createServer(listener), host, port);
}

/** A server that sends these bytes, whatever it is asked, and leaves the connection open. */
function serveRaw(text: string, { end = false } = {}): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.once('data', () => (end ? socket.end(text) : socket.write(text)));
  });
  return listen(server, '127.0.0.1', 0);
}

function client(env: Record<string, string>, dns?: DnsServer): EgressClient {
  return new EgressClient(loadConfig(env).config.egress, dns?.lookup);
}

const opened = (...ports: number[]) => ({ KILN_EGRESS_ALLOW: ports.map((port) => `127.0.0.1:${port}`).join(',') });
const refused = { kind: 'invalid', code: 'egress.refused' };
const failed = { kind: 'unavailable', code: 'egress.failed' };

async function read(reply: { body: NodeJS.ReadableStream }): Promise<string> {
  return (await buffer(reply.body as never)).toString();
}

describe('EgressClient', () => {
  it('fetches what an address has to give, as it is sent', async () => {
    const seen: IncomingMessage[] = [];
    const port = await serve((request, response) => {
      seen.push(request);
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': 5 }).end('bytes');
    });

    const reply = await client(opened(port)).get(`http://127.0.0.1:${port}/a?b=c#d`);

    expect(reply).toMatchObject({ status: 200, sizeBytes: 5, url: `http://127.0.0.1:${port}/a?b=c` });
    expect(await read(reply)).toBe('bytes');
    expect(seen[0]!.url).toBe('/a?b=c');
    expect(seen[0]!.headers).toMatchObject({ 'accept-encoding': 'identity', host: `127.0.0.1:${port}` });
  });

  it('asks for a part', async () => {
    const port = await serve((request, response) => response.writeHead(206).end(request.headers.range));

    const reply = await client(opened(port)).get(`http://127.0.0.1:${port}/`, { range: { start: 3, end: 7 } });

    expect(reply.status).toBe(206);
    expect(await read(reply)).toBe('bytes=3-7');
  });

  it('opens each connection anew and keeps no cookie', async () => {
    const seen: IncomingMessage[] = [];
    const port = await serve((request, response) => {
      seen.push(request);
      response.writeHead(200, { 'set-cookie': 'a=b', connection: 'keep-alive' }).end();
    });
    const egress = client(opened(port));

    for (const path of ['/1', '/2']) await read(await egress.get(`http://127.0.0.1:${port}${path}`));

    expect(seen.map(({ headers }) => headers.cookie)).toEqual([undefined, undefined]);
    expect(seen[0]!.socket.remotePort).not.toBe(seen[1]!.socket.remotePort);
  });

  it('goes past every proxy that the environment names', async () => {
    const port = await serve((_request, response) => response.end('direct'));
    const proxy = await serve((_request, response) => response.end('proxied'));
    for (const name of ['http_proxy', 'HTTP_PROXY', 'ALL_PROXY']) process.env[name] = `http://127.0.0.1:${proxy}`;

    try {
      expect(await read(await client(opened(port)).get(`http://127.0.0.1:${port}/`))).toBe('direct');
    } finally {
      for (const name of ['http_proxy', 'HTTP_PROXY', 'ALL_PROXY']) delete process.env[name];
    }
  });
});

describe('EgressClient and where a connection leads', () => {
  let dns: DnsServer;

  beforeEach(async () => {
    dns = await DnsServer.start();
  });
  afterEach(() => dns.stop());

  it('does not go to this machine unless the operator opened the place', async () => {
    let connections = 0;
    const port = await serve((_request, response) => response.end());
    servers[0]!.on('connection', () => (connections += 1));
    const egress = client({ KILN_EGRESS_PORTS: String(port) }, dns);
    dns.says(['127.0.0.1']);

    await expect(egress.get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(refused);
    await expect(egress.get(`http://mirror.example.org:${port}/`)).rejects.toMatchObject(refused);

    expect(connections).toBe(0);
  });

  it.each([
    ['10.0.0.1'],
    ['169.254.169.254'],
    ['192.168.0.1'],
    ['100.64.0.1'],
    ['0.0.0.0'],
    ['168.63.129.16'],
    ['224.0.0.1'],
    ['127.0.0.1', '10.0.0.1'],
  ])('refuses a name that leads to %s', async (...addresses) => {
    dns.says(addresses);

    await expect(client({}, dns).get('http://mirror.example.org/')).rejects.toMatchObject({
      ...refused,
      message: expect.not.stringContaining(addresses[0]),
    });
  });

  it.each([
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    'fd00::1',
    'fe80::1',
    'fe80::1%lo',
    '64:ff9b::7f00:1',
    'nonsense',
  ])('refuses a name whose IPv6 address is %s', async (address) => {
    const { config } = loadConfig({});
    const egress = new EgressClient(config.egress, (_name, _options, callback) =>
      callback(null, [{ address, family: 6 }]),
    );

    await expect(egress.get('http://mirror.example.org/')).rejects.toMatchObject(refused);
  });

  it('takes of several addresses only those that are allowed', async () => {
    let forbidden = 0;
    const port = await serve((_request, response) => response.end('open'), '127.0.0.2');
    await serve((_request, response) => response.end('inside'), '127.0.0.1', port);
    servers[1]!.on('connection', () => (forbidden += 1));
    dns.says(['127.0.0.1', '127.0.0.2', '127.0.0.1']);

    const egress = client({ KILN_EGRESS_ALLOW: '127.0.0.2/32', KILN_EGRESS_PORTS: String(port) }, dns);

    expect(await read(await egress.get(`http://mirror.example.org:${port}/`))).toBe('open');
    expect(forbidden).toBe(0);
  });

  it('connects to the very address it looked at, though the name has another one a moment later', async () => {
    let forbidden = 0;
    const port = await serve((_request, response) => response.end('open'), '127.0.0.2');
    await serve((_request, response) => response.end('inside'), '127.0.0.1', port);
    servers[1]!.on('connection', () => (forbidden += 1));
    const egress = client({ KILN_EGRESS_ALLOW: '127.0.0.2/32', KILN_EGRESS_PORTS: String(port) }, dns);
    const url = `http://rebind.example.org:${port}/`;
    dns.says(['127.0.0.2'], ['127.0.0.1']);

    egress.check(url);
    const first = await egress.get(url);
    const askedOnce = dns.asked;
    const second = egress.get(url);

    await expect(second).rejects.toMatchObject(refused);
    expect(askedOnce).toBe(1);
    expect(await read(first)).toBe('open');
    expect(forbidden).toBe(0);
  });

  it('resolves again for a redirect to the same name, and judges the new answer', async () => {
    let forbidden = 0;
    const port = await serve((_request, response) => response.writeHead(302, { location: '/next' }).end(), '127.0.0.2');
    await serve((_request, response) => response.end('inside'), '127.0.0.1', port);
    servers[1]!.on('connection', () => (forbidden += 1));
    dns.says(['127.0.0.2'], ['127.0.0.1']);
    const egress = client({ KILN_EGRESS_ALLOW: '127.0.0.2/32', KILN_EGRESS_PORTS: String(port) }, dns);

    await expect(egress.get(`http://rebind.example.org:${port}/`)).rejects.toMatchObject(refused);

    expect(dns.asked).toBe(2);
    expect(forbidden).toBe(0);
  });

  it('opens a place by its name, and no other name of the same address', async () => {
    const port = await serve((_request, response) => response.end('ours'));
    dns.says(['127.0.0.1']);
    const egress = client({ KILN_EGRESS_ALLOW: `mirror.example.org:${port}`, KILN_EGRESS_PORTS: String(port) }, dns);

    expect(await read(await egress.get(`http://MIRROR.example.org.:${port}/`))).toBe('ours');
    await expect(egress.get(`http://other.example.org:${port}/`)).rejects.toMatchObject(refused);
  });

  it('follows lists of hosts and ports, of which those that allow win', async () => {
    const both = client({ KILN_EGRESS_HOSTS: '*.example.org', KILN_EGRESS_HOSTS_DENIED: 'a.example.org' });
    const deny = client({ KILN_EGRESS_HOSTS_DENIED: 'a.example.org,*.b.example.org', KILN_EGRESS_PORTS_DENIED: '22' });

    expect(both.check('http://a.example.org/').host).toBe('a.example.org');
    expect(() => both.check('http://example.net/')).toThrow(expect.objectContaining(refused));
    expect(() => both.check('http://example.org/')).toThrow(expect.objectContaining(refused));
    for (const url of ['http://a.example.org/', 'http://A.example.org./', 'http://c.b.example.org/', 'http://c:22/']) {
      expect(() => deny.check(url)).toThrow(expect.objectContaining(refused));
    }
    expect(deny.check('http://mirror.example.org:8080/').port).toBe('8080');
    expect(() => client({ KILN_EGRESS_SCHEMES_DENIED: 'http' }).check('http://a.example.org/')).toThrow(
      expect.objectContaining(refused),
    );
  });
});

describe('EgressClient and redirects', () => {
  it.each([301, 302, 303, 307, 308])('follows status %d', async (status) => {
    const port = await serve((request, response) => {
      if (request.url === '/a/b') response.writeHead(status, { location: '../c' }).end('elsewhere');
      else response.end(request.url);
    });

    const reply = await client(opened(port)).get(`http://127.0.0.1:${port}/a/b`);

    expect(await read(reply)).toBe('/c');
    expect(reply.url).toBe(`http://127.0.0.1:${port}/c`);
  });

  it.each([
    'http://127.0.0.1:1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]/',
    'http://2130706433/',
    '//127.0.0.1:1/',
    'file:///etc/passwd',
    'ftp://mirror.example.org/',
    'http://user:secret@mirror.example.org/',
    'http://mirror.example.org:22/',
    'http:\\\\127.0.0.1\\',
    '/\\127.0.0.1/',
  ])('does not follow one to %s', async (location) => {
    const port = await serve((_request, response) => response.writeHead(302, { location }).end());

    await expect(client(opened(port)).get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(refused);
  });

  it('gives up after as many as are configured', async () => {
    let asked = 0;
    const port = await serve((_request, response) => {
      asked += 1;
      response.writeHead(302, { location: `/${asked}` }).end();
    });
    const egress = client({ ...opened(port), KILN_EGRESS_REDIRECTS: '3' });

    await expect(egress.get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(failed);

    expect(asked).toBe(4);
  });

  it('leaves what was meant for one host behind when it is sent to another', async () => {
    const seen: IncomingMessage[] = [];
    const other = await serve((request, response) => {
      seen.push(request);
      response.end('other');
    });
    const first = await serve((request, response) => {
      seen.push(request);
      if (request.url === '/') response.writeHead(302, { location: '/same' }).end();
      else response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end();
    });

    const reply = await client(opened(first, other)).get(`http://127.0.0.1:${first}/`, {
      headers: { 'x-auth-token': 'secret', authorization: 'secret' },
      range: { start: 0, end: 1 },
    });
    await read(reply);

    expect(seen.map(({ headers }) => headers['x-auth-token'])).toEqual(['secret', 'secret', undefined]);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['secret', 'secret', undefined]);
    expect(seen[2]!.headers.range).toBe('bytes=0-1');
  });

  it('trusts the operator’s address, but not where that one sends it', async () => {
    const inside = await serve((_request, response) => response.end('inside'));
    const port = await serve((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${inside}/` }).end();
      else if (request.url === '/here') response.writeHead(302, { location: '/' }).end();
      else response.end('trusted');
    });
    const egress = client({});

    expect(await read(await egress.get(`http://127.0.0.1:${port}/here`, { trusted: true }))).toBe('trusted');
    await expect(egress.get(`http://127.0.0.1:${port}/away`, { trusted: true })).rejects.toMatchObject(refused);
  });
});

describe('EgressClient and what goes wrong', () => {
  it('refuses a length over the limit before a byte of it, and a body that grows over it', async () => {
    const port = await serve((request, response) => {
      if (request.url === '/announced') response.writeHead(200, { 'content-length': 1_000 }).write('x');
      else {
        response.write('12345');
        response.end('6');
      }
    });
    const egress = client(opened(port));
    const tooLarge = { kind: 'too_large', code: 'egress.too_large' };

    await expect(egress.get(`http://127.0.0.1:${port}/announced`, { maxBytes: 999 })).rejects.toMatchObject(tooLarge);
    const reply = await egress.get(`http://127.0.0.1:${port}/growing`, { maxBytes: 5 });
    await expect(read(reply)).rejects.toMatchObject(tooLarge);
    expect(await read(await egress.get(`http://127.0.0.1:${port}/growing`, { maxBytes: 6 }))).toBe('123456');
  });

  it.each([
    ['cut off by its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345'],
    ['cut off in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n'],
  ])('fails a body that is %s', async (_how, text) => {
    const port = await serveRaw(text, { end: true });

    const reply = await client(opened(port)).get(`http://127.0.0.1:${port}/`);

    await expect(read(reply)).rejects.toMatchObject(failed);
  });

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n1'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(5_000)}\r\n`],
  ])('fails an answer with %s', async (_what, text) => {
    const port = await serveRaw(text);

    await expect(client(opened(port)).get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(failed);
  });

  it.each([304, 400, 401, 403, 404, 500, 503])('fails on status %d, which its error tells', async (status) => {
    const port = await serve((_request, response) => response.writeHead(status).end());

    await expect(client(opened(port)).get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      ...failed,
      details: { status },
    });
  });

  it('fails where nobody listens, without telling an address', async () => {
    const port = await serve(() => undefined);
    await new Promise((resolve) => servers.pop()!.close(resolve));

    await expect(client(opened(port)).get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      ...failed,
      message: '127.0.0.1 refused the connection',
    });
  });

  it('fails when no answer, or no more of it, comes in time', async () => {
    const silent = await serveRaw('');
    const stalled = await serveRaw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345');
    const egress = client({ ...opened(silent, stalled), KILN_EGRESS_IDLE_TIMEOUT: '4s' });

    const never = expect(egress.get(`http://127.0.0.1:${silent}/`)).rejects.toMatchObject(failed);
    const reply = await egress.get(`http://127.0.0.1:${stalled}/`);

    await expect(read(reply)).rejects.toMatchObject(failed);
    await never;
  });

  it('fails what never ends', async () => {
    const port = await serve((_request, response) => {
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });

    const reply = await client({ ...opened(port), KILN_EGRESS_TOTAL_TIMEOUT: '4s' }).get(`http://127.0.0.1:${port}/`);

    await expect(read(reply)).rejects.toMatchObject({ ...failed, message: '127.0.0.1 took too long' });
  });

  it('stops when its caller does, before the answer and within it', async () => {
    const silent = await serveRaw('');
    const stalled = await serveRaw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345');
    const egress = client(opened(silent, stalled));
    const caller = new AbortController();
    const reason = new Error('no longer wanted');

    const never = expect(egress.get(`http://127.0.0.1:${silent}/`, { signal: caller.signal })).rejects.toBe(reason);
    const reply = await egress.get(`http://127.0.0.1:${stalled}/`, { signal: caller.signal });
    caller.abort(reason);

    await never;
    await expect(read(reply)).rejects.toBe(reason);
  });

  it('closes the connection of a body that is not read to its end', async () => {
    let closed: () => void;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const port = await serve((_request, response) => {
      response.on('close', () => closed());
      response.write('x'.repeat(1_000_000));
    });

    const reply = await client(opened(port)).get(`http://127.0.0.1:${port}/`);
    reply.body.destroy();

    await gone;
    expect(reply.body.destroyed).toBe(true);
  });
});
