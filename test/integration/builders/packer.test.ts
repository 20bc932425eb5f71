import { beforeAll, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aBuilder, anOrder, contentOf, start, workFolders } from '../../support/building.js';
import { eventually } from '../../support/eventually.js';
import { GUEST_PROGRAMS, makeGuest } from '../../support/disks/guest.js';
import { describeWith, findProgram } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { namesIn } from '../../support/disks/root-filesystem.js';
import { SshUser } from '../../support/ssh.js';
import { tar, type TarMember } from '../../support/tar.js';

const run = promisify(execFile);
const PROGRAMS = ['packer', 'bwrap', 'mksquashfs', 'unsquashfs'];

// Of a busy machine: each of them starts sandboxes.
jest.setTimeout(300_000);

describeWith(PROGRAMS, 'Builds of Packer', () => {
  let world: Awaited<ReturnType<typeof aBuilder>>;
  beforeAll(async () => (world = await aBuilder()));

  const build = (recipe: object, ...members: TarMember[]) =>
    start(
      world.builder,
      anOrder({ recipeType: 'packer' }),
      tar([{ name: 'recipe.json', content: JSON.stringify(recipe) }, ...members]),
    );
  const nothing = (...inline: string[]) => ({
    builders: [{ type: 'null', communicator: 'none' }],
    provisioners: [{ type: 'shell-local', inline }],
  });

  it('of nothing make the one file that their scripts leave in the output', async () => {
    const { done, phases } = build(nothing('echo made by a script > /mnt/image/build/disk.raw'));

    const result = await done;

    expect(result.files.map(({ role }) => role)).toEqual(['disk']);
    expect((await contentOf(result, 'disk')).toString()).toBe('made by a script\n');
    expect(phases).toEqual(['fetching', 'building', 'packaging']);
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('of nothing make the one file that they name as their artifact', async () => {
    const { done } = build({
      ...nothing('mkdir made', 'echo named > made/disk.raw'),
      'post-processors': [{ type: 'artifice', files: ['made/disk.raw'] }],
    });

    expect((await contentOf(await done, 'disk')).toString()).toBe('named\n');
  });

  it('of nothing make an image of the root that they leave', async () => {
    const root = '/mnt/image/build/image-root';
    const { done } = build(
      nothing(`mkdir -p ${root}/boot ${root}/etc`, `touch ${root}/boot/vmlinuz ${root}/boot/initrd ${root}/etc/mine`),
    );

    const result = await done;

    expect(result.files.map(({ role }) => role)).toEqual(['rootfs', 'kernel', 'initrd']);
    expect(await namesIn(await contentOf(result, 'rootfs'))).toContain('/etc/mine');
  });

  it.each([
    ['leave several files', nothing('cd /mnt/image/build && touch one two'), 'build.failed', /2 files \(one, two\)/],
    ['leave no file', nothing('true'), 'build.failed', /neither a folder image-root nor a file/],
    ['have a script that fails', nothing('exit 3'), 'build.script_failed', /exit status.*3/i],
    ['are none', { builders: [] }, 'build.failed', /builder/i],
  ])('that %s say so', async (_what, recipe, code, message) => {
    const { done } = build(recipe);

    await expect(done).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  describeWith(['sshd', 'ssh', 'ssh-keygen'], 'that fail with a debug shell', () => {
    it('show what they left in it', async () => {
      const user = await SshUser.create();
      const left = '/mnt/image/build/image-root/etc';
      const recipe = nothing(`mkdir -p ${left}; echo half > ${left}/made; touch /mnt/image/complete; exit 3`);
      const shell = { name: 'debug', jail: false, authorizedKey: user.publicKey };
      const { done, shells, phases } = start(
        world.builder,
        anOrder({ recipeType: 'packer', enableDebug: true, shell }),
        tar([{ name: 'recipe.json', content: JSON.stringify(recipe) }]),
      );
      const { host, port } = await eventually(() => {
        const state = shells.find(({ status }) => status === 'active');
        return phases.includes('waiting_on_user') && (state ?? false);
      }, 120_000);

      const seen = await user.run({ host: host!, port: port! }, `cat ${left}/made; touch /mnt/image/complete`);

      expect(seen).toBe('half\n');
      await expect(done).rejects.toMatchObject({ code: 'build.script_failed' });
      expect(await workFolders(world.buildsDir)).toEqual([]);
      await user.leave();
    });
  });

  it('cannot reach out of their sandbox with what they leave', async () => {
    const { done } = build(nothing('ln -s /etc/passwd /mnt/image/build/disk.raw'));

    await expect(done).rejects.toMatchObject({ code: 'build.failed' });
  });

  describeWith(['qemu-system-x86_64', 'qemu-img'], 'in a virtual machine', () => {
    const machine = (accelerator: string) => ({
      builders: [
        {
          type: 'qemu',
          accelerator,
          headless: true,
          disable_vnc: true,
          disk_image: true,
          iso_url: 'base.raw',
          iso_checksum: 'none',
          format: 'qcow2',
          disk_size: '1M',
          skip_resize_disk: true,
          disk_interface: 'ide',
          net_device: 'e1000',
          output_directory: 'out',
          vm_name: 'disk.qcow2',
          memory: 64,
          communicator: 'none',
          shutdown_timeout: '2m',
          qemuargs: [['-nodefaults', '']],
        },
      ],
    });

    it('that is emulated boot a disk and keep what its system writes', async () => {
      const { done, log } = build(machine('tcg'), { name: 'base.raw', content: bootDisk('written by the machine') });

      const result = await done;

      const disk = await rawOf(await contentOf(result, 'disk'));
      expect(disk.subarray(512, 1024).toString('latin1')).toContain('written by the machine');
      expect(log()).toContain('Starting VM, booting disk image');
      expect(await workFolders(world.buildsDir)).toEqual([]);
    });

    it('that needs KVM fail, and say what to write instead', async () => {
      const { done } = build(machine('kvm'), { name: 'base.raw', content: bootDisk('') });

      await expect(done).rejects.toMatchObject({
        code: 'build.failed',
        message: expect.stringMatching(/Qemu failed to start.*"accelerator": "tcg"/),
      });
    });

    describeWith([...BUILD_PROGRAMS, ...GUEST_PROGRAMS, 'debugfs'], 'that lets in by ssh', () => {
      const serving = machine('tcg').builders[0]!;
      const provisioned = (...inline: string[]) => ({
        builders: [
          {
            ...serving,
            iso_url: 'base.qcow2',
            disk_interface: 'virtio',
            net_device: 'virtio-net-pci',
            memory: 512,
            communicator: 'ssh',
            ssh_username: 'root',
            ssh_private_key_file: 'key',
            ssh_timeout: '4m',
            shutdown_command: 'sync; echo o > /proc/sysrq-trigger',
            qemuargs: [
              ['-kernel', 'kernel'],
              ['-initrd', 'initrd'],
              ['-append', 'console=ttyS0 quiet panic=-1'],
              ['-cpu', 'max'],
            ],
          },
        ],
        provisioners: [
          { type: 'file', source: 'motd', destination: '/etc/motd' },
          { type: 'shell', inline },
        ],
      });
      let members: TarMember[];
      beforeAll(async () => {
        const { kernel, initrd, disk, key } = await makeGuest();
        const files = { kernel, initrd, key, 'base.qcow2': disk, motd: 'of the recipe\n' };
        members = Object.entries(files).map(([name, content]) => ({ name, content }));
      });

      it('keep what scripts and files of the recipe make of its system', async () => {
        const { done, log } = build(
          provisioned('echo "packed in $(cat /proc/sys/kernel/ostype)" > /etc/image-info'),
          ...members,
        );

        const disk = await contentOf(await done, 'disk');

        expect(await fileOf(disk, '/etc/image-info')).toBe('packed in Linux\n');
        expect(await fileOf(disk, '/etc/motd')).toBe('of the recipe\n');
        expect(log()).toContain('Connected to SSH!');
        expect(await workFolders(world.buildsDir)).toEqual([]);
      });

      it('fail with what a script in it says', async () => {
        const { done, log } = build(provisioned('echo no room for this >&2; exit 3'), ...members);

        await expect(done).rejects.toMatchObject({
          code: 'build.script_failed',
          message: expect.stringMatching(/exit status.*3/i),
        });
        expect(log()).toContain('no room for this');
      });
    });
  });
});

/** A disk whose system, the 32 bytes of its boot sector, writes a text into the second sector and switches off. */
function bootDisk(text: string): Buffer {
  const disk = Buffer.alloc(2 ** 20);
  // Sets up segments and stack; int 13h, function 3, from 7d00h to sector 2; ACPI's S5 at port 604h; waits.
  disk.write('31c08ed88ec0bc007c' + 'b80103bb007db90200b600cd13' + 'ba0406b80020ef' + 'f4ebfd', 'hex');
  disk.write(text, 256);
  disk.writeUInt16BE(0x55aa, 510);
  return disk;
}

const rawOf = (qcow2: Buffer) => withRaw(qcow2, (path) => readFile(path));

/** A file of a disk that is one ext4 file system; what debugfs says instead where it cannot be read. */
const fileOf = (qcow2: Buffer, name: string) =>
  withRaw(qcow2, async (path) => {
    const { stdout, stderr } = await run(findProgram('debugfs')!, ['-R', `cat ${name}`, path]);
    return stdout || stderr;
  });

async function withRaw<T>(qcow2: Buffer, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-qcow2-'));
  try {
    await writeFile(join(folder, 'disk'), qcow2);
    await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', join(folder, 'disk'), join(folder, 'raw')]);
    return await use(join(folder, 'raw'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
