import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tar } from './tar.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');

/** What a real build of a sample recipe needs, for `describeWith`. */
export const BUILD_PROGRAMS = [
  'kiwi-ng',
  'debootstrap',
  'mksquashfs',
  'bwrap',
  'slirp4netns',
  'apt-ftparchive',
  ...(process.getuid!() === 0 ? [] : ['newuidmap']),
];

/** What `debian-tiny` installs beside the required packages. */
const TINY_PACKAGES = ['busybox-static'];

/** Everything both sample recipes install beside the required packages. */
const PACKAGES = [
  'ca-certificates',
  'systemd-sysv',
  'udev',
  'dbus',
  'kmod',
  'iproute2',
  'zstd',
  'initramfs-tools',
  'linux-image-cloud-amd64',
  ...TINY_PACKAGES,
];

/** The release of this machine: the one its package mirror surely has. */
async function suite(): Promise<string> {
  return /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
}

/**
 * A package repository for the sample recipes, for `KILN_BUILD_REPOS`. Made once per run of the tests (some seconds,
 * from the mirror of this machine's apt); every test file gets the same folder. That for arm64 has what `debian-tiny` takes.
 */
export async function offlineRepository(arch?: 'arm64'): Promise<string> {
  const path = join(tmpdir(), `kiln-packages-${process.getuid!()}${arch ? `-${arch}` : ''}`);
  if (await stat(path).catch(() => undefined)) return path;
  const made = await mkdtemp(`${path}-`);
  const what = arch ? ['--arch', arch, made, await suite(), ...TINY_PACKAGES] : [made, await suite(), ...PACKAGES];
  await run(join(ROOT, 'scripts', 'make-offline-repo.sh'), what);
  await chmod(made, 0o755);
  try {
    await rename(made, path);
  } catch {
    // Another worker was first.
    await rm(made, { recursive: true, force: true });
  }
  return path;
}

/** The gzip-compressed archive of a recipe in `examples/`. */
export async function recipeArchive(name: 'debian-tiny' | 'debian-minimal'): Promise<Buffer> {
  const { stdout } = await run('tar', ['-C', join(ROOT, 'examples', name), '-cz', '.'], { encoding: 'buffer' });
  return stdout;
}

/** Template values with which the sample recipes build from `offlineRepository`, bound as /repo. */
export async function offlineTemplate(imageName: string): Promise<{ key: string; value: string }[]> {
  return [
    { key: 'IMAGE_NAME', value: imageName },
    { key: 'DEBIAN_MIRROR', value: 'file:///repo' },
    { key: 'DEBIAN_SUITE', value: await suite() },
    { key: 'REPO_GPGCHECK', value: 'false' },
  ];
}

/** The archive of a Packer recipe that makes the disk `a disk` in a moment. */
export function diskRecipe(): Buffer {
  const content = `source "file" "it" {
    content = "a disk"
    target = "out/disk"
  }
  build { sources = ["source.file.it"] }`;
  return tar([{ name: 'recipe.pkr.hcl', content }]);
}
