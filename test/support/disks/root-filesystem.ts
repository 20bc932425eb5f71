import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../programs.js';

const run = promisify(execFile);

/** What is in the images of the tests beside a shell: this machine's own programs. */
const PROGRAMS = ['bash', 'cat', 'chmod', 'env', 'id', 'ls', 'mkdir', 'mv', 'rm', 'sleep', 'stat', 'touch', 'tty'];

/** Changes a root file system before it is packed. */
export type Furnish = (root: string) => Promise<void>;

/** Fills a folder: a small root file system with a shell, a kernel and an initrd. */
export async function furnishRoot(root: string): Promise<void> {
  for (const name of ['boot', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr/bin', 'usr/lib', 'usr/lib64']) {
    await mkdir(join(root, name), { recursive: true });
  }
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
  await symlink('bash', join(root, 'usr/bin/sh'));
  for (const program of PROGRAMS) await install(root, findProgram(program)!);
  await writeFile(join(root, 'boot/vmlinuz'), 'the kernel\n');
  await writeFile(join(root, 'boot/initrd'), 'the initrd\n');
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  await writeFile(join(root, 'etc/resolv.conf'), '# of the image\n');
}

/** Such a root, packed as squashfs: enough to come into, to change and to make an image of again. */
export async function rootFilesystem(furnish: Furnish = async () => undefined): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-root-'));
  const root = join(folder, 'root');
  try {
    await furnishRoot(root);
    await furnish(root);
    const packed = join(folder, 'rootfs');
    await run('mksquashfs', [root, packed, '-all-root', '-noappend', '-no-progress', '-comp', 'gzip']);
    return await readFile(packed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Names of a squashfs, as `unsquashfs -ll` lists them, without `squashfs-root`. */
export async function namesIn(squashfs: Buffer): Promise<string[]> {
  const { stdout } = await withFile(squashfs, (path) => run('unsquashfs', ['-l', path], { maxBuffer: 2 ** 26 }));
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('squashfs-root/'))
    .map((line) => line.slice('squashfs-root'.length));
}

/** The content of one file of a squashfs. */
export async function fileIn(squashfs: Buffer, name: string): Promise<string> {
  const { stdout } = await withFile(squashfs, (path) => run('unsquashfs', ['-cat', path, name]));
  return stdout;
}

async function withFile<T>(content: Buffer, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-squashfs-'));
  try {
    await writeFile(join(folder, 'rootfs'), content);
    return await use(join(folder, 'rootfs'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program and the libraries it is linked with. */
export async function install(root: string, program: string): Promise<void> {
  await copyFile(program, join(root, 'usr/bin', basename(program)));
  const { stdout } = await run('ldd', [program]);
  for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) {
    const target = join(root, path!.replace(/^\/(lib|lib64)\//, '/usr/$1/'));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path!, target);
  }
}
