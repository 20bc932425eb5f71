import { createSocket, type RemoteInfo } from 'node:dgram';
import { Resolver, type LookupAddress } from 'node:dns';

const TYPE_A = 1;
const HEADER_BYTES = 12;

/** A name server on loopback that tells every asker something else, as one that rebinds names does. */
export class DnsServer {
  /** How often it was asked for addresses. */
  asked = 0;
  private readonly socket = createSocket('udp4');
  private answers: readonly (readonly string[])[] = [];

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    server.socket.on('message', (query, from) => server.reply(query, from));
    await new Promise<void>((resolve) => server.socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  /** What it says from now on, one answer after the other; the last one for ever. */
  says(...answers: readonly (readonly string[])[]): void {
    this.answers = answers;
    this.asked = 0;
  }

  /** As `dns.lookup` with `all`, but asks this server. */
  readonly lookup = (
    hostname: string,
    _options: unknown,
    callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ): void => {
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${this.socket.address().port}`]);
    resolver.resolve4(hostname, (error, addresses) =>
      callback(
        error,
        (addresses ?? []).map((address) => ({ address, family: 4 })),
      ),
    );
  };

  stop(): Promise<void> {
    return new Promise((resolve) => this.socket.close(resolve));
  }

  private reply(query: Buffer, from: RemoteInfo): void {
    const nameEnd = query.indexOf(0, HEADER_BYTES) + 1;
    const question = query.subarray(HEADER_BYTES, nameEnd + 4);
    const addresses =
      query.readUInt16BE(nameEnd) === TYPE_A ? (this.answers[Math.min(this.asked, this.answers.length - 1)] ?? []) : [];
    if (query.readUInt16BE(nameEnd) === TYPE_A) this.asked += 1;
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) =>
      // The name of the question, an address, of the internet, not to be kept for even a second.
      Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    this.socket.send(Buffer.concat([header, question, ...records]), from.port, from.address);
  }
}
