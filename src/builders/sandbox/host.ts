import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { probeProgram } from './probe-program.js';

/** First of the 65,536 host ids that builds of a worker run by root use; above what systemd and shadow hand out. */
export const ROOTS_FIRST_ID = 1_879_048_192;
export const ID_COUNT = 65_536;

/** Seen in the sandbox too, which has no others. */
const PROGRAM_FOLDERS = ['/usr/bin', '/usr/sbin'];

/** Programs a sandbox needs, and the Debian package that brings each. */
const SANDBOX_PROGRAMS: Readonly<Record<string, string>> = {
  bwrap: 'bubblewrap',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  prlimit: 'util-linux',
  mount: 'mount',
  python3: 'python3',
};

/** What is done in sandboxes. */
export type BuildKind = 'kiwi-ng' | 'packer' | 'customize';

const PACKAGING_PROGRAMS: Readonly<Record<string, string>> = { mksquashfs: 'squashfs-tools', du: 'coreutils' };

/** The same for each kind of build. Recipes of Packer need what their builders need, too (qemu: qemu-system-x86, qemu-utils). */
const BUILD_PROGRAMS: Readonly<Record<BuildKind, Readonly<Record<string, string>>>> = {
  'kiwi-ng': {
    'kiwi-ng': 'kiwi',
    debootstrap: 'debootstrap',
    // Keys of repositories are imported by it, and it starts the agent for that.
    gpg: 'gpg',
    'gpg-agent': 'gpg-agent',
    ...PACKAGING_PROGRAMS,
    ...SANDBOX_PROGRAMS,
  },
  packer: { packer: 'packer', ...PACKAGING_PROGRAMS, ...SANDBOX_PROGRAMS },
  customize: {
    unsquashfs: 'squashfs-tools',
    sshd: 'openssh-server',
    'ssh-keygen': 'openssh-client',
    ...PACKAGING_PROGRAMS,
    ...SANDBOX_PROGRAMS,
  },
};

const PURPOSES: Readonly<Record<BuildKind, string>> = {
  'kiwi-ng': 'kiwi-ng builds need',
  packer: 'Packer builds need',
  customize: 'customizing images needs',
};

const TUN = '/dev/net/tun';
/** Where the kernel tells which foreign programs it can run. */
const BINFMT = '/proc/sys/fs/binfmt_misc';

export function isRoot(): boolean {
  return process.getuid!() === 0;
}

/** Why builds of a kind cannot run here, in one sentence with its remedy; undefined: they can. */
export async function buildProblem(kind: BuildKind): Promise<string | undefined> {
  const purpose = PURPOSES[kind];
  if (process.platform !== 'linux') return `${purpose} Linux, this is ${process.platform}`;
  const { missing, packages } = await missingPrograms(BUILD_PROGRAMS[kind]);
  // Templates of recipes are rendered with them.
  if (
    kind !== 'customize' &&
    !missing.includes('python3') &&
    (await outcome('/usr/bin/python3', ['-c', 'import jinja2, yaml'])) !== undefined
  ) {
    missing.push('jinja2 and yaml for Python');
    packages.add('python3-jinja2').add('python3-yaml');
  }
  return missing.length > 0 ? toInstall(purpose, missing, packages) : sandboxProblem(purpose);
}

/**
 * Why programs of an architecture cannot run in builds here, as `buildProblem`. One is tried, in a root where nothing else
 * is: containers do not see what the kernel knows of emulators, and an emulator may be there for the host alone.
 */
export async function archProblem(arch: 'x86_64' | 'aarch64'): Promise<string | undefined> {
  const here = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];
  if (arch === here) return undefined;
  const alone = ['--user', '--map-root-user', '--', 'bwrap', '--perms', '0755', '--ro-bind-data', '0', '/probe'];
  if ((await outcome('unshare', [...alone, '--', '/probe'], probeProgram(arch))) === undefined) return undefined;
  const handler = await readFile(`${BINFMT}/qemu-${arch}`, 'utf8').catch(() => '');
  // With F the kernel keeps the emulator open, so that it is there in sandboxes and image roots that do not have it.
  const why =
    handler === '' ? 'no emulator for it is registered' : 'the emulator for it is not enabled with the flag F';
  return `this worker runs programs for ${here ?? process.arch}, and ${why} (Debian packages qemu-user-static binfmt-support)`;
}

/** Why imports can be neither unpacked nor converted here, as `kiwiProblem`. */
export async function conversionProblem(converts: boolean): Promise<string | undefined> {
  const purpose = 'unpacking and converting images needs';
  if (process.platform !== 'linux') return `${purpose} Linux, this is ${process.platform}`;
  const { missing, packages } = await missingPrograms({
    ...SANDBOX_PROGRAMS,
    ...(converts ? { 'qemu-img': 'qemu-utils' } : {}),
  });
  return missing.length > 0 ? toInstall(purpose, missing, packages) : sandboxProblem(purpose);
}

async function missingPrograms(programs: Readonly<Record<string, string>>) {
  const needed = isRoot() ? programs : { ...programs, newuidmap: 'uidmap', newgidmap: 'uidmap' };
  const missing: string[] = [];
  const packages = new Set<string>();
  for (const [program, debianPackage] of Object.entries(needed)) {
    if (await hasProgram(program)) continue;
    missing.push(program);
    packages.add(debianPackage);
  }
  return { missing, packages };
}

function toInstall(purpose: string, missing: readonly string[], packages: ReadonlySet<string>): string {
  return `${purpose} ${missing.join(', ')}: install the Debian package${packages.size > 1 ? 's' : ''} ${[...packages].join(' ')} (npm run setup:debian)`;
}

/** Why a sandbox on this host would have no network; undefined: it can have one. */
export async function networkProblem(): Promise<string | undefined> {
  if (!(await hasProgram('slirp4netns'))) {
    return 'slirp4netns is not installed (Debian package slirp4netns, npm run setup:debian)';
  }
  try {
    await access(TUN, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return `${TUN} is missing or not open to the user that runs Kiln`;
  }
}

async function hasProgram(name: string): Promise<boolean> {
  for (const folder of PROGRAM_FOLDERS) {
    if (
      await access(`${folder}/${name}`, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return true;
    }
  }
  return false;
}

/** Tries what every build does first; the ways to forbid it (sysctl, AppArmor, seccomp, masked /proc) are too many to look up. */
async function sandboxProblem(purpose: string): Promise<string | undefined> {
  if (!isRoot() && !(await hasSubordinateIds())) {
    return `${purpose} subordinate ids for the user that runs Kiln: add a line to /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)`;
  }
  const bubblewrap = [
    'bwrap',
    '--unshare-pid',
    '--unshare-net',
    '--ro-bind',
    '/usr',
    '/usr',
    '--symlink',
    'usr/lib',
    '/lib',
  ];
  bubblewrap.push('--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--', '/usr/bin/true');
  const fault = isRoot()
    ? ((await outcome('unshare', [
        '--mount',
        '--propagation',
        'private',
        '--',
        'mount',
        '-t',
        'tmpfs',
        'kiln',
        '/mnt',
      ])) ?? (await outcome('unshare', ['--user', '--map-root-user', '--', ...bubblewrap])))
    : await outcome('unshare', ['--user', '--map-root-user', '--map-auto', '--', ...bubblewrap]);
  return fault === undefined ? undefined : `${purpose} user namespaces, which this host refuses (${fault})`;
}

async function hasSubordinateIds(): Promise<boolean> {
  const uid = String(process.getuid!());
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const name = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[2] === uid)?.[0];
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const owners = text.split('\n').filter((line) => Number(line.split(':')[2]) >= ID_COUNT);
    if (!owners.some((line) => [uid, name].includes(line.split(':')[0]))) return false;
  }
  return true;
}

/** What a command says when it fails; undefined: it succeeds. */
function outcome(program: string, args: readonly string[], input?: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { timeout: 10_000, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
      (error, _stdout, stderr) => {
        resolve(error === null ? undefined : stderr.trim().split('\n').at(-1) || error.message);
      },
    );
    // It may end, or not start, before it has read; how it ends tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
