import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { BuildFailedError } from '../../modules/jobs/builder.js';

/** Connections at once; each is a process in the sandbox. */
const MOST_CONNECTIONS = 32;

/** Opens the place that a name leads to and nothing more. Node does not name it. @see open(2) */
const O_PATH = 0o10000000;

/** Lets people into the sandbox of a build, which has no network that they could come through. */
export class ShellServer {
  private readonly sockets = new Set<Socket>();
  private sandbox: FileHandle | undefined;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /**
   * Listens, and lets nobody in before it is told where to.
   *
   * @param ports the first free one of them; from 0: any
   * @throws BuildFailedError there is none
   */
  static async open(host: string, ports: readonly [number, number], log: (text: string) => void): Promise<ShellServer> {
    for (let port = ports[0]; port <= ports[1]; port += 1) {
      const server = createServer({ allowHalfOpen: true, noDelay: true });
      const bound = await listen(server, host, port);
      if (typeof bound !== 'number') {
        if (bound.code === 'EADDRINUSE') continue;
        throw new BuildFailedError('shell.failed', `The shell cannot listen on ${host}: ${bound.message}`);
      }
      const shell = new ShellServer(server, bound);
      server.on('connection', (socket) => shell.admit(socket, log));
      return shell;
    }
    throw new BuildFailedError('shell.failed', `No port from ${ports[0]} to ${ports[1]} is free for the shell`);
  }

  /**
   * Connects whoever comes from now on to a socket that the sandbox has made, and to that one only: the folder is the
   * sandbox's, whose root may put a link to some socket of this machine in its place later.
   *
   * @throws BuildFailedError it is no socket
   */
  async leadTo(socketPath: string): Promise<void> {
    this.sandbox = await open(socketPath, O_PATH | constants.O_NOFOLLOW);
    if (!(await this.sandbox.stat()).isSocket()) {
      throw new BuildFailedError('shell.failed', 'The sandbox has put something else in the place of its shell');
    }
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await this.sandbox?.close();
  }

  private admit(client: Socket, log: (text: string) => void): void {
    // The server in the sandbox sees no address.
    log(`A connection to the shell from ${client.remoteAddress ?? 'nowhere'} port ${client.remotePort ?? 0}\n`);
    if (!this.sandbox || this.sockets.size >= 2 * MOST_CONNECTIONS) return void client.destroy();
    const sandbox = connect({ path: `/proc/self/fd/${this.sandbox.fd}`, allowHalfOpen: true });
    this.join(client, sandbox);
    this.join(sandbox, client);
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.sockets.delete(from);
      // After what is on its way still.
      to.destroySoon();
    });
    from.pipe(to);
  }
}

function listen(server: Server, host: string, port: number): Promise<number | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(port, host, () => {
      server.removeListener('error', resolve);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
