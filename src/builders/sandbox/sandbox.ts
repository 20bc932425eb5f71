import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { BUILD_FAILURE_CODES, BuildFailedError, type BuildFailureCode } from '../../modules/jobs/builder.js';
import { ID_COUNT, isRoot, networkProblem, ROOTS_FIRST_ID } from './host.js';
import { SANDBOX_PROGRAM } from './sandbox-program.js';
import { SHIMS } from './shims.js';
import { makeOpenFolder, startTimeOf, type WorkFolder } from './work-folder.js';

/** A folder or file of the host that the sandbox sees. */
interface Bind {
  /** Plain word, unique among the binds of a sandbox. */
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly writable?: boolean;
}

/** What the sandbox program can do; steps of it are in `steps/`. */
export type SandboxStep =
  | 'prepare'
  | 'wait'
  | 'build'
  | 'packer'
  | 'collect'
  | 'unpack_image'
  | 'shell'
  | 'script'
  | 'tidy'
  | 'package'
  | 'decompress'
  | 'convert';

/** Steps that read what was fetched. */
const READ_ARCHIVE: ReadonlySet<SandboxStep> = new Set(['prepare', 'unpack_image', 'decompress', 'convert']);
/** Steps in which foreign code takes packages from the folder of repositories. */
const TAKE_PACKAGES: ReadonlySet<SandboxStep> = new Set(['build', 'packer', 'shell', 'script']);

/**
 * Where a sandbox with a network gets it: one of its own, from which the host's loopback cannot be reached, or that of
 * the container around it.
 */
export type SandboxNetwork = 'private' | 'shared';

/** One run of the sandbox program. */
export interface SandboxRun {
  /** The order for the program; `step` names what to do. */
  readonly order: { readonly step: SandboxStep } & Readonly<Record<string, unknown>>;
  /** Folder of package repositories, seen read-only at /repo. */
  readonly reposDir?: string;
  /** Whether packages come over the network; without it the sandbox has none at all. */
  readonly network: boolean;
  readonly fileBytes?: number;
  readonly memoryBytes?: number;
  /** Time on a processor that one process may use. */
  readonly cpuSeconds?: number;
  readonly onOutput: (text: string) => void;
  readonly onPercent?: (percent: number) => void;
  /** The shell is ready; the public half of its host's key. */
  readonly onShell?: (shell: { readonly hostKey: string }) => void;
  /** Ends everything in the sandbox; `run` then rejects with its reason. */
  readonly signal: AbortSignal;
}

/** Of one host user, so of all builds of a worker together: a fork bomb ends here. */
const MAX_PROCESSES = 8_192;
const MAX_ERROR_TEXT = 4_096;
/** Of one report, which names every repository of a recipe. */
const MAX_REPORT = 4 * 2 ** 20;
const KILL_PATIENCE_MS = 500;
const NETWORK_PATIENCE_MS = 10_000;

/** slirp4netns answers names at this address of its network. */
const RESOLVER = '10.0.2.3';

/**
 * How root gets into a user namespace without any line in /etc/subuid. Its binds are first gathered below a folder of a
 * private mount namespace, because the namespace's root may not walk through private folders (a home, say) to reach them.
 *
 * Arguments: first host id, number of ids, gathering folder, pairs of name and source, `--`, command.
 */
const ENTER_AS_ROOT = `
set -e
first=$1 count=$2 stage=$3
shift 3
mount -t tmpfs -o mode=0755,size=1m kiln "$stage"
# In a container parts of /proc are covered, and a user namespace gets no fresh one unless it sees a whole one.
mkdir "$stage/.proc" && mount -t proc proc "$stage/.proc" || :
while [ "$1" != -- ]; do
  if [ -d "$2" ]; then mkdir "$stage/$1"; else : > "$stage/$1"; fi
  mount --rbind "$2" "$stage/$1"
  shift 2
done
shift
# A program that was started in the namespace before the map was written has lost its rights. So one process holds the
# namespace until it has its map, and the command enters it afterwards.
coproc HOLDER { exec unshare --user -- sh -c 'echo; read -r _' 3<&- 4<&-; }
holder=$HOLDER_PID
read -r _ <&"\${HOLDER[0]}"
echo "0 $first $count" > /proc/$holder/uid_map
echo "0 $first $count" > /proc/$holder/gid_map
exec 9< /proc/$holder/ns/user
kill -KILL $holder
wait $holder 2>/dev/null || :
exec nsenter --user=/proc/self/fd/9 --setuid 0 --setgid 0 -- sh -c 'exec 9<&-; exec "$@"' sh "$@"
`;

/** Files of /etc that replace the host's. */
const ETC: Readonly<Record<string, string>> = {
  // sshd gives up its rights to the user of its name.
  passwd:
    'root:x:0:0:root:/root:/bin/bash\nsshd:x:74:65534:sshd:/run/sshd:/usr/sbin/nologin\n' +
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  // A password that no text fits; "!" would lock the account, for keys as well.
  shadow: 'root:*:19000:0:99999:7:::\n',
  group: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  hosts: '127.0.0.1 localhost build\n::1 localhost build\n',
};

/**
 * A new root has these of the sandbox mounted, and rpm, which may not give them the owners that their package says, passes
 * them over then.
 *
 * @see rpm, macro `_netsharedpath`
 */
const RPM_MACROS = '%_netsharedpath /dev:/proc:/sys\n';

/** Of the host's own /etc: links to programs, and the certificates that https mirrors need. */
const HOST_ETC = ['/etc/alternatives', '/etc/ssl/certs', '/etc/ssl/openssl.cnf'];

/** Authorities that Debian's programs trust. */
const TRUSTED = '/etc/ssl/certs/ca-certificates.crt';

/**
 * The unprivileged sandbox of one execution: own user, mount, PID, network, IPC and UTS namespaces, nothing of the host
 * but /usr read-only. A run ends with every process and mount it had.
 */
export class Sandbox {
  private constructor(
    private readonly folder: WorkFolder,
    private readonly network: SandboxNetwork,
    private readonly authorities: boolean,
  ) {}

  /** @param authorities certificates that are trusted beside the host's */
  static async prepare(
    folder: WorkFolder,
    network: SandboxNetwork = 'private',
    authorities: readonly string[] = [],
  ): Promise<Sandbox> {
    const files: Record<string, string> = {
      ...ETC,
      'resolv.conf': `nameserver ${RESOLVER}\n`,
      'rpm-macros': RPM_MACROS,
    };
    if (network === 'shared') {
      for (const name of ['hosts', 'resolv.conf']) {
        files[name] = await readFile(join('/etc', name), 'utf8').catch(() => files[name]!);
      }
    }
    for (const [name, text] of Object.entries(files)) await writeOpenFile(join(folder.etc(), name), text, 0o644);
    if (authorities.length > 0) {
      const usual = await readFile(TRUSTED, 'utf8').catch(() => '');
      await writeOpenFile(join(folder.etc(), 'trusted.crt'), `${usual}\n${authorities.join('')}`, 0o644);
    }
    await writeOpenFile(join(folder.programs(), 'sandbox.py'), SANDBOX_PROGRAM, 0o644);
    await makeOpenFolder(join(folder.programs(), 'bin'));
    for (const [name, text] of Object.entries(SHIMS)) {
      await writeOpenFile(join(folder.programs(), 'bin', name), text, 0o755);
    }
    return new Sandbox(folder, network, authorities.length > 0);
  }

  /**
   * Runs the sandbox program on one order.
   *
   * @returns the program's result
   * @throws BuildFailedError what the program or the sandbox found wrong; otherwise the signal's reason
   */
  async run(run: SandboxRun): Promise<Record<string, unknown>> {
    run.signal.throwIfAborted();
    if (run.network && this.network === 'private') await requireNetwork();
    const [program, args] = this.command(run);
    const child = spawn(program, args, {
      // Nothing of Kiln's own environment (it holds secrets) reaches the chain.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    });
    const execution = new Execution(child, run, this.network);
    return execution.finish();
  }

  private command(run: SandboxRun): [string, string[]] {
    const limits = ['--core=0', `--nproc=${MAX_PROCESSES}`];
    if (run.fileBytes !== undefined) limits.push(`--fsize=${run.fileBytes}`);
    if (run.memoryBytes !== undefined) limits.push(`--as=${run.memoryBytes}`);
    if (run.cpuSeconds !== undefined) limits.push(`--cpu=${run.cpuSeconds}`);
    const outer = ['--pdeathsig', 'KILL', '--', 'prlimit', ...limits, '--'];
    const binds = this.binds(run);
    if (!isRoot()) {
      const enter = ['unshare', '--user', '--map-root-user', '--map-auto', '--'];
      return ['setpriv', [...outer, ...enter, ...this.bubblewrap(run, binds)]];
    }
    const stage = gatheringFolder(binds);
    const enter = ['unshare', '--mount', '--propagation', 'private', '--', 'bash', '-c', ENTER_AS_ROOT, 'kiln-enter'];
    enter.push(
      String(ROOTS_FIRST_ID),
      String(ID_COUNT),
      stage,
      ...binds.flatMap(({ name, source }) => [name, source]),
      '--',
    );
    const gathered = binds.map((bind) => ({ ...bind, source: join(stage, bind.name) }));
    return ['setpriv', [...outer, ...enter, ...this.bubblewrap(run, gathered)]];
  }

  private binds(run: SandboxRun): Bind[] {
    const { step } = run.order;
    const binds: Bind[] = [
      { name: 'programs', source: this.folder.programs(), target: '/opt/kiln' },
      { name: 'job', source: this.folder.work(), target: '/job', writable: true },
      // On disk rather than in memory: what a build puts there counts against its disk, not the host's memory.
      { name: 'tmp', source: this.folder.tmp(), target: '/tmp', writable: true },
      { name: 'var-tmp', source: this.folder.varTmp(), target: '/var/tmp', writable: true },
    ];
    for (const name of [...Object.keys(ETC), ...(run.network ? ['resolv.conf'] : [])]) {
      binds.push({ name: `etc-${name}`, source: join(this.folder.etc(), name), target: `/etc/${name}` });
    }
    binds.push({ name: 'rpm-macros', source: join(this.folder.etc(), 'rpm-macros'), target: '/etc/rpm/macros' });
    if (this.authorities)
      binds.push({ name: 'trusted', source: join(this.folder.etc(), 'trusted.crt'), target: TRUSTED });
    if (READ_ARCHIVE.has(step) && existsSync(this.folder.archive()))
      binds.push({ name: 'archive', source: this.folder.archive(), target: '/archive' });
    if (step === 'package' || step === 'convert')
      binds.push({ name: 'out', source: this.folder.out(), target: '/out', writable: true });
    if (TAKE_PACKAGES.has(step) && run.reposDir) binds.push({ name: 'repo', source: run.reposDir, target: '/repo' });
    return binds;
  }

  private bubblewrap(run: SandboxRun, binds: readonly Bind[]): string[] {
    const args = ['bwrap', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'build'];
    if (!run.network || this.network === 'private') args.push('--unshare-net');
    args.push('--die-with-parent', '--new-session', '--clearenv', '--cap-add', 'ALL');
    args.push('--setenv', 'PATH', '/opt/kiln/bin:/usr/sbin:/usr/bin:/sbin:/bin', '--setenv', 'HOME', '/root');
    // debootstrap then does not insist on mknod, which a user namespace does not allow.
    args.push('--setenv', 'LANG', 'C.UTF-8', '--setenv', 'container', 'lxc');
    args.push('--setenv', 'KILN_EXECUTION', this.folder.token);
    // OpenSSL would look for each authority in a file of its own.
    if (this.authorities) args.push('--setenv', 'SSL_CERT_FILE', TRUSTED);
    args.push('--size', String(64 * 2 ** 20), '--tmpfs', '/', '--ro-bind', '/usr', '/usr');
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) args.push('--symlink', `usr/${name}`, `/${name}`);
    for (const path of ['/etc', '/etc/ssl', '/sys', '/var', '/var/cache', '/var/lib', '/opt']) {
      args.push('--perms', '0755', '--dir', path);
    }
    for (const path of HOST_ETC) args.push('--ro-bind-try', path, path);
    args.push('--proc', '/proc', '--dev', '/dev', '--size', String(64 * 2 ** 20), '--tmpfs', '/run');
    args.push('--perms', '0700', '--dir', '/root', '--perms', '0700', '--dir', '/root/.gnupg');
    for (const { source, target, writable } of binds) args.push(writable ? '--bind' : '--ro-bind', source, target);
    args.push('--info-fd', '3', '--chdir', '/job', '--');
    args.push('/usr/bin/python3', '-I', '/opt/kiln/sandbox.py');
    return args;
  }
}

async function writeOpenFile(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text);
  await chmod(path, mode);
}

/** A standard folder of every distribution that hides none of the binds when something is mounted on it. */
function gatheringFolder(binds: readonly Bind[]): string {
  const sources = binds.map((bind) => bind.source);
  const free = ['/mnt', '/media', '/srv', '/opt', '/home'].find(
    (folder) => existsSync(folder) && !sources.some((source) => source === folder || source.startsWith(`${folder}/`)),
  );
  if (free === undefined)
    throw new BuildFailedError('build.failed', 'No folder of this host is free for the mounts of a build');
  return free;
}

async function requireNetwork(): Promise<void> {
  const problem = await networkProblem();
  if (problem === undefined) return;
  throw new BuildFailedError(
    'repository.unreachable',
    `The recipe takes packages from the network, which a build on this worker cannot reach: ${problem}`,
  );
}

/** One line of what the sandbox program tells. */
interface ProgramEvent {
  readonly started?: boolean;
  readonly percent?: number;
  readonly shell?: { readonly hostKey: string };
  readonly result?: Record<string, unknown>;
  readonly code?: string;
  readonly message?: string;
}

/** What is under way between the start of a sandbox and its end. */
class Execution {
  /** The first process of the PID namespace; the start time tells it from a later one with the same id. */
  private sandbox: { readonly pid: number; readonly startTime: Promise<string | undefined> } | undefined;
  private network: ChildProcess | undefined;
  private outcome: ProgramEvent = {};
  private started = false;
  private begun = false;
  private shellOpened = false;
  private errors = '';
  private networkFault: string | undefined;
  private over = false;

  constructor(
    private readonly child: ChildProcess,
    private readonly run: SandboxRun,
    private readonly networkKind: SandboxNetwork,
  ) {}

  async finish(): Promise<Record<string, unknown>> {
    const { signal } = this.run;
    const stop = () => void this.kill();
    const ended = new Promise<string>((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('close', (status, killed) => resolve(killed ?? `status ${status}`));
    });
    this.readStreams();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const end = await ended;
    this.over = true;
    signal.removeEventListener('abort', stop);
    await this.endNetwork();
    await this.kill();
    if (signal.aborted) throw signal.reason;
    if (this.networkFault !== undefined) throw new BuildFailedError('build.failed', this.networkFault);
    if (this.outcome.code !== undefined) {
      const known = (BUILD_FAILURE_CODES as readonly string[]).includes(this.outcome.code);
      const code = known ? (this.outcome.code as BuildFailureCode) : 'build.failed';
      throw new BuildFailedError(code, this.outcome.message ?? 'The build failed');
    }
    if (this.outcome.result !== undefined) return this.outcome.result;
    const said = this.errors.trim().split('\n').at(-1);
    throw new BuildFailedError('build.failed', `The build's sandbox ended early (${said ? said : end})`);
  }

  private readStreams(): void {
    const { stdin, stdout, stderr, stdio } = this.child;
    // The sandbox may end before it has read its order; `close` tells.
    stdin!.on('error', () => undefined);
    const decoder = new StringDecoder('utf8');
    stdout!.on('data', (chunk: Buffer) => this.run.onOutput(decoder.write(chunk)));
    stderr!.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString('utf8')).slice(-MAX_ERROR_TEXT);
    });
    let info = '';
    (stdio[3] as Readable).on('data', (chunk: Buffer) => {
      info += chunk.toString('utf8');
      const pid = /"child-pid":\s*(\d+)/.exec(info)?.[1];
      if (pid === undefined || this.sandbox !== undefined) return;
      this.sandbox = { pid: Number(pid), startTime: startTimeOf(Number(pid)) };
      if (this.run.signal.aborted) void this.kill();
      else this.begin();
    });
    this.readReports(stdio[4] as Readable);
  }

  private readReports(reports: Readable): void {
    const decoder = new StringDecoder('utf8');
    let open = '';
    reports.on('data', (chunk: Buffer) => {
      const lines = (open + decoder.write(chunk)).split('\n');
      open = lines.pop()!;
      for (const line of lines) this.hear(line);
      if (open.length <= MAX_REPORT) return;
      open = '';
      this.outcome = { code: 'build.failed', message: `The build's sandbox told more than ${MAX_REPORT} characters` };
      void this.kill();
    });
  }

  private hear(line: string): void {
    let event: ProgramEvent;
    try {
      event = JSON.parse(line) as ProgramEvent;
    } catch {
      // A program killed in the middle of a line; how it ended is told by its end.
      return;
    }
    if (event.started) {
      this.started = true;
      this.begin();
    } else if (event.percent !== undefined) this.run.onPercent?.(event.percent);
    else if (event.shell !== undefined) this.openShell(event.shell);
    else this.outcome = event;
  }

  /** Once: whoever comes in is not to hear of another key. */
  private openShell(shell: { readonly hostKey: string }): void {
    if (this.shellOpened) return;
    this.shellOpened = true;
    this.run.onShell?.(shell);
  }

  /**
   * Hands the order over when the sandbox stands and has its network. The network must not come earlier: bubblewrap
   * and slirp4netns both bring the loopback up, and the slower of the two fails (so bubblewrap's --block-fd, which
   * blocks after its id is told but not after its own network is made, is of no use here).
   */
  private begin(): void {
    if (!this.started || this.sandbox === undefined || this.begun) return;
    this.begun = true;
    // The input stays open on purpose: its end tells the sandbox that this process is gone.
    const order = () => void this.child.stdin!.write(`${JSON.stringify(this.run.order)}\n`);
    if (!this.run.network || this.networkKind === 'shared') return order();
    void this.attachNetwork(this.sandbox.pid).then((attached) => (attached ? order() : undefined));
  }

  private async attachNetwork(pid: number): Promise<boolean> {
    const network = spawn(
      'setpriv',
      // prettier-ignore
      ['--pdeathsig', 'KILL', '--', 'slirp4netns', '--configure', '--mtu=65520', '--disable-host-loopback',
        '--ready-fd=3', '--exit-fd=4', `--userns-path=/proc/${pid}/ns/user`, String(pid), 'tap0'],
      { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, cwd: '/', stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    );
    this.network = network;
    let said = '';
    network.stderr!.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-MAX_ERROR_TEXT)));
    (network.stdio[4] as Writable).on('error', () => undefined);
    const ready = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), NETWORK_PATIENCE_MS);
      const settle = (value: boolean) => {
        clearTimeout(timer);
        resolve(value);
      };
      (network.stdio[3] as Readable).once('data', () => settle(true));
      network.once('error', () => settle(false));
      network.once('exit', () => settle(false));
    });
    if (ready) return true;
    // Where the sandbox itself ended first, the network went with it and is not to blame.
    if (!this.over && !this.run.signal.aborted) {
      this.networkFault = `The build's network could not be made (slirp4netns: ${said.trim().split('\n').at(-1) || 'no answer'})`;
    }
    await this.kill();
    return false;
  }

  private async endNetwork(): Promise<void> {
    const network = this.network;
    if (!network || network.exitCode !== null || network.signalCode !== null) return;
    const exited = new Promise((resolve) => network.once('exit', resolve));
    network.kill('SIGKILL');
    await exited;
  }

  /** Ends the first process of the PID namespace, with which the kernel ends all others and drops every mount. */
  private async kill(): Promise<void> {
    if (this.sandbox === undefined) {
      this.child.kill('SIGKILL');
      return;
    }
    const pid = this.sandbox.pid;
    const startTime = await this.sandbox.startTime;
    const deadline = Date.now() + KILL_PATIENCE_MS;
    while (startTime !== undefined && (await startTimeOf(pid)) === startTime) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        return;
      }
      if (Date.now() > deadline) this.child.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
