import { access } from 'node:fs/promises';
import { DEBOOTSTRAP_ARCH } from '../sandbox/shims.js';

const DEBIAN_ARCHS = { x86_64: 'amd64', aarch64: 'arm64' };
const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** How kiwi-ng makes /job/root of the recipe. @param packageManager the one that the recipe names */
export async function kiwiCommand(arch: 'x86_64' | 'aarch64', packageManager: string): Promise<string[]> {
  // Always with --debug: without it kiwi does not tell what package managers say, nor why they fail.
  const command = ['kiwi-ng', '--debug'];
  if (arch !== { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string]) {
    command.unshift('env', `${DEBOOTSTRAP_ARCH}=${DEBIAN_ARCHS[arch]}`);
    command.push('--target-arch', arch);
  }
  // The default cache is one for the whole machine, and two builds would overwrite each other's package sources in it.
  command.push('--shared-cache-dir', '/job/cache', 'system', 'prepare');
  command.push('--description', '/job/recipe', '--root', '/job/root');
  // The others take keys of other forms, and recipes name theirs.
  if (packageManager !== 'apt') return command;
  const hasKeyring = await access(DEBIAN_KEYRING).then(
    () => true,
    () => false,
  );
  return hasKeyring ? [...command, '--signing-key', DEBIAN_KEYRING] : command;
}
