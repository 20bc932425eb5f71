import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../programs.js';
import { offlineRepository } from '../recipes.js';
import { furnishRoot, install } from './root-filesystem.js';

const run = promisify(execFile);

/** A virtual machine that lets the owner of a key in by ssh. */
export interface Guest {
  readonly kernel: Buffer;
  readonly initrd: Buffer;
  /** Its root, ext4, as qcow2. */
  readonly disk: Buffer;
  /** Of root, the private half. */
  readonly key: Buffer;
}

/** What a guest is made with, for `describeWith`, beside `BUILD_PROGRAMS`. */
export const GUEST_PROGRAMS = ['sshd', 'ssh-keygen', 'scp', 'mke2fs', 'qemu-img', 'dpkg-deb'];

/** In the order in which they need one another. */
const MODULES = [
  'virtio/virtio',
  'virtio/virtio_ring',
  'virtio/virtio_pci_legacy_dev',
  'virtio/virtio_pci_modern_dev',
  'virtio/virtio_pci',
  'block/virtio_blk',
  'core/failover',
  'net/net_failover',
  'net/virtio_net',
];

/** The addresses are those of QEMU's own network. */
const FIRST_INIT = `#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t devtmpfs devtmpfs /dev
for module in ${MODULES.map((path) => basename(path)).join(' ')}; do busybox insmod /$module.ko; done
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
busybox mount -t ext4 /dev/vda /root
busybox mount -t tmpfs tmpfs /root/run
busybox mkdir -m 755 /root/run/sshd
busybox mount --move /proc /root/proc
busybox mount --move /dev /root/dev
exec busybox switch_root /root /usr/sbin/init
`;

const SSHD_CONFIG = `HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
`;

/** Made of this machine's programs and a kernel of the offline repository. */
export async function makeGuest(): Promise<Guest> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-guest-'));
  try {
    const packages = await unpack(join(folder, 'packages'), ['linux-image-6', 'busybox-static']);
    const boot = join(packages, 'boot');
    const kernel = (await readdir(boot)).find((name) => name.startsWith('vmlinuz'))!;
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
    return {
      kernel: await readFile(join(boot, kernel)),
      initrd: await makeInitrd(packages, join(folder, 'initrd')),
      disk: await makeDisk(folder),
      key: await readFile(join(folder, 'key')),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function unpack(target: string, prefixes: readonly string[]): Promise<string> {
  const pool = join(await offlineRepository(), 'pool');
  const files = await readdir(pool);
  for (const prefix of prefixes) {
    await run('dpkg-deb', [
      '--extract',
      join(
        pool,
        files.find((name) => name.startsWith(prefix))!,
      ),
      target,
    ]);
  }
  return target;
}

async function makeInitrd(packages: string, tree: string): Promise<Buffer> {
  for (const name of ['bin', 'dev', 'proc', 'root']) await mkdir(join(tree, name), { recursive: true });
  const busybox = join(tree, 'bin', 'busybox');
  await copyFile(join(packages, 'bin', 'busybox'), busybox);
  const release = (await readdir(join(packages, 'lib/modules')))[0]!;
  for (const path of MODULES) {
    const found = path.startsWith('core/') ? `net/${path}` : `drivers/${path}`;
    const module = join(packages, 'lib/modules', release, 'kernel', `${found}.ko`);
    await copyFile(module, join(tree, `${basename(path)}.ko`));
  }
  await writeFile(join(tree, 'init'), FIRST_INIT, { mode: 0o755 });
  const pack = 'find . | "$1" cpio -o -H newc';
  const { stdout } = await run('sh', ['-c', pack, 'sh', busybox], {
    cwd: tree,
    encoding: 'buffer',
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

/** @param folder has the key that is let in, as `key.pub` */
async function makeDisk(folder: string): Promise<Buffer> {
  const root = join(folder, 'root');
  await furnishRoot(root);
  for (const name of ['etc/ssh', 'run', 'usr/sbin']) await mkdir(join(root, name), { recursive: true });
  for (const name of ['sshd', 'scp', 'sync']) await install(root, findProgram(name)!);
  await writeFile(join(root, 'usr/sbin/init'), '#!/bin/sh\nexec /usr/bin/sshd -D -e\n', { mode: 0o755 });
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nsshd:x:74:74::/run/sshd:/bin/false\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nsshd:x:74:\n');
  await writeFile(join(root, 'etc/shadow'), 'root:*:19000:0:99999:7:::\n');
  await writeFile(join(root, 'etc/ssh/sshd_config'), SSHD_CONFIG);
  await copyFile(join(folder, 'key.pub'), join(root, 'etc/ssh/authorized_keys'));
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(root, 'etc/ssh/host_key')]);
  const raw = join(folder, 'raw');
  // Without a journal, what was synced is in its place: a machine that is switched off needs no recovery to be read.
  const system = ['-t', 'ext4', '-O', '^has_journal', '-E', 'root_owner=0:0'];
  await run(findProgram('mke2fs')!, ['-q', ...system, '-d', root, raw, '96M']);
  await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, join(folder, 'disk')]);
  return readFile(join(folder, 'disk'));
}
