import { beforeAll, expect, it, jest } from '@jest/globals';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { archProblem } from '../../../src/builders/sandbox/host.js';
import { programOf } from '../../../src/builders/sandbox/probe-program.js';
import { aBuilder, anOrder, contentOf, start, workFolders } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../../support/recipes.js';
import { fileIn, rootFilesystem } from '../../support/disks/root-filesystem.js';

// Under emulation a build of kiwi-ng takes some minutes.
jest.setTimeout(1_200_000);

const SAYS = 'hello from aarch64\n';
const PROBLEM = await archProblem('aarch64');

describeWith(['unsquashfs', 'mksquashfs', 'bwrap', 'sshd'], 'An image for aarch64', () => {
  let world: Awaited<ReturnType<typeof aBuilder>>;
  let rootfs: Buffer;
  beforeAll(async () => {
    world = await aBuilder();
    rootfs = await rootFilesystem(async (root) => {
      await writeFile(join(root, 'greet'), greeter(SAYS));
      await chmod(join(root, 'greet'), 0o755);
      for (const name of ['Image', 'vmlinuz']) await writeFile(join(root, 'boot', name), `${name}\n`);
    });
  });

  const customize = () =>
    start(
      world.builder,
      anOrder({
        jobType: 'customize',
        recipeType: null,
        arch: 'aarch64',
        kernelFileName: 'Image',
        scripts: { updateOsPackages: false, items: [{ name: 'script 1', text: '#!/greet' }] },
      }),
      rootfs,
    );

  if (PROBLEM === undefined) {
    it('is customized by its own programs, where they run', async () => {
      const { done, log } = customize();

      const result = await done;

      expect(log()).toContain(SAYS);
      expect((await contentOf(result, 'kernel')).toString()).toBe('Image\n');
      expect(await fileIn(await contentOf(result, 'rootfs'), 'etc/resolv.conf')).toBe('# of the image\n');
    });

    describeWith(BUILD_PROGRAMS, 'of a kiwi-ng recipe', () => {
      it('is built of packages of its own architecture', async () => {
        const { builder } = await aBuilder({ KILN_BUILD_REPOS: await offlineRepository('arm64') });
        const template = await offlineTemplate('foreign');

        const { done } = start(builder, anOrder({ arch: 'aarch64', template }), await recipeArchive('debian-tiny'));

        const rootfs = await contentOf(await done, 'rootfs');
        const installed = await fileIn(rootfs, 'var/lib/dpkg/status');
        expect(new Set(installed.match(/^Architecture: .*/gm))).toEqual(
          new Set(['Architecture: arm64', 'Architecture: all']),
        );
        expect(await fileIn(rootfs, 'etc/hostname')).toBe('foreign\n');
      });
    });
  } else {
    it('is refused before anything is fetched, where its programs do not run', async () => {
      const { done, phases } = customize();

      await expect(done).rejects.toMatchObject({
        code: 'builder.arch_unsupported',
        message: `The image is for aarch64; ${PROBLEM}`,
      });
      expect(PROBLEM).toContain('qemu-user-static');
      expect(phases).toEqual([]);
      expect(await workFolders(world.buildsDir)).toEqual([]);
    });
  }
});

/** A program of aarch64 that writes a text and ends. */
function greeter(text: string): Buffer {
  const words = [
    0xd2800020, // mov x0, 1: standard output
    0x100000e1, // adr x1, the text, 28 bytes on
    0xd2800002 | (text.length << 5), // mov x2, its length
    0xd2800808, // mov x8, 64: write
    0xd4000001, // svc 0
    0xd2800000, // mov x0, 0
    0xd2800ba8, // mov x8, 93: exit
    0xd4000001, // svc 0
  ];
  const code = Buffer.alloc(4 * words.length);
  words.forEach((word, at) => code.writeUInt32LE(word >>> 0, 4 * at));
  return programOf('aarch64', Buffer.concat([code, Buffer.from(text)]));
}
