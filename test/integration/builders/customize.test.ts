import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildOrder, ShellOrder } from '../../../src/modules/jobs/index.js';
import { DatabaseUnavailableError } from '../../../src/platform/database/database.errors.js';
import { aBuilder, anOrder, contentOf, start, workFolders } from '../../support/building.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/programs.js';
import { fileIn, namesIn, rootFilesystem } from '../../support/disks/root-filesystem.js';
import { SshUser } from '../../support/ssh.js';

const PROGRAMS = ['unsquashfs', 'mksquashfs', 'bwrap', 'sshd', 'ssh', 'sftp', 'ssh-keygen'];

/** What ssh ends with when the other side has gone. */
const CONNECTION_CLOSED = 255;

// Of a busy machine: each of them starts sandboxes.
jest.setTimeout(180_000);

type World = Awaited<ReturnType<typeof aBuilder>>;
type Customizing = ReturnType<typeof start>;

describeWith(PROGRAMS, 'Customizing an image', () => {
  let world: World;
  let rootfs: Buffer;
  let user: SshUser;
  beforeAll(async () => {
    world = await aBuilder();
    user = await SshUser.create();
    rootfs = await rootFilesystem();
  });
  afterAll(() => user.leave());

  const order = (changes: Partial<BuildOrder>) => anOrder({ jobType: 'customize', recipeType: null, ...changes });
  const customize = (changes: Partial<BuildOrder>, source = rootfs) => start(world.builder, order(changes), source);
  const scripted = (...texts: string[]) =>
    customize({
      scripts: { updateOsPackages: false, items: texts.map((text, index) => ({ name: `script ${index + 1}`, text })) },
    });
  const withShell = (changes: Partial<ShellOrder> = {}, source = rootfs, more: Partial<BuildOrder> = {}) =>
    customize({ shell: { name: 'customize', jail: true, authorizedKey: user.publicKey, ...changes }, ...more }, source);
  const active = (customizing: Customizing) =>
    eventually(() => {
      const state = customizing.shells.find(({ status }) => status === 'active');
      if (!state || !customizing.phases.includes('waiting_on_user')) throw new Error(customizing.log());
      return { host: state.host!, port: state.port!, hostKey: state.hostKey! };
    }, 30_000);

  it('by scripts runs them in order in the image root and leaves no trace of itself', async () => {
    const customizing = scripted(
      '#!/bin/bash -e\necho first > /root/added; [ -e /proc/self ]; echo "to $HOME"; touch /tmp/complete',
      'cat /root/added; echo second >> /root/added; echo x > /dev/null',
    );

    const result = await customizing.done;

    const made = await contentOf(result, 'rootfs');
    expect(await fileIn(made, 'root/added')).toBe('first\nsecond\n');
    expect(await fileIn(made, 'etc/resolv.conf')).toBe('# of the image\n');
    expect((await namesIn(made)).filter((name) => !name.startsWith('/usr/'))).toEqual(
      [...(await namesIn(rootfs)), '/root/added'].filter((name) => !name.startsWith('/usr/')).sort(),
    );
    expect((await contentOf(result, 'kernel')).toString()).toBe('the kernel\n');
    expect(customizing.phases).toEqual(['fetching', 'building', 'packaging']);
    expect(customizing.log()).toMatch(/running script 1\n(.*\n)*to \/root\n(.*\n)*kiln: running script 2\nfirst\n/);
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it.each([
    ['fails', ['true', 'echo last words; exit 3', 'echo never'], 'Script 2 ended with status 3: last words'],
    [
      'has an interpreter that is not there',
      ['#!/usr/bin/perl\nprint 1'],
      /^Script 1 ended with status 127: cannot run/,
    ],
  ])('ends with the first script that %s', async (_what, texts, message) => {
    const customizing = scripted(...texts);

    await expect(customizing.done).rejects.toMatchObject({
      code: 'build.script_failed',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(customizing.log()).not.toContain('never');
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('ends with a script that takes too long', async () => {
    const brief = await aBuilder({ KILN_SCRIPT_TIMEOUT: '1s' });
    const scripts = { updateOsPackages: false, items: [{ name: 'script 1', text: 'sleep 60' }] };

    const { done } = start(brief.builder, order({ scripts }), rootfs);

    await expect(done).rejects.toMatchObject({
      code: 'build.script_failed',
      message: 'Script 1 took longer than the 1 seconds allowed',
    });
    expect(await workFolders(brief.buildsDir)).toEqual([]);
  });

  it('ends with a script that writes more than allowed, also into a file that has no name any more', async () => {
    const small = await aBuilder({ KILN_BUILD_DISK_BYTES: String(64 * 2 ** 20) });
    // Of a file that nobody can see; without the limit there would be no end to it.
    const text = '#!/bin/bash\n[ $(ulimit -f) = 65536 ] || exit 1; exec 5> /root/x; rm /root/x; cat /dev/zero >&5';

    const { done } = start(
      small.builder,
      order({ scripts: { updateOsPackages: false, items: [{ name: 'script 1', text }] } }),
      rootfs,
    );

    await expect(done).rejects.toMatchObject({
      code: 'build.script_failed',
      message: expect.stringContaining('Script 1 ended with status 153'),
    });
    expect(await workFolders(small.buildsDir)).toEqual([]);
  });

  it('updates packages with the package manager of the image, and fails where it has none', async () => {
    const { done } = customize({ scripts: { updateOsPackages: true, items: [] } });

    await expect(done).rejects.toMatchObject({
      code: 'build.script_failed',
      message: expect.stringMatching(/^The update of the OS packages .*none of apt-get, zypper, dnf and yum/),
    });
  });

  it('goes on when a report cannot be taken for a while', async () => {
    const away = [new DatabaseUnavailableError(new Error('away')), new DatabaseUnavailableError(new Error('away'))];
    const scripts = { updateOsPackages: false, items: [{ name: 'script 1', text: 'echo once' }] };
    const customizing = start(world.builder, order({ scripts }), rootfs, (phase) => {
      const error = phase === 'packaging' && away.pop();
      if (error) throw error;
    });

    const result = await customizing.done;

    expect(result.files.map(({ role }) => role)).toContain('rootfs');
    expect(customizing.phases).toEqual(['fetching', 'building', 'packaging', 'packaging', 'packaging']);
    expect(customizing.log().match(/^once$/gm)).toHaveLength(1);
  });

  it('in a jailed shell sees the image alone, and ends with a file in its /tmp', async () => {
    const customizing = withShell();
    const target = await active(customizing);

    const seen = await user.run(target, 'ls /; id -u; echo $IMS_JOB_ID $IMS_ARCH $IMS_DKMS_ENABLED');
    const terminal = await user.run(target, 'tty', '-tt');
    await user.put(target, join(import.meta.dirname, 'customize.test.ts'), '/root/added');
    await user.run(target, 'touch /tmp/complete');
    const made = await contentOf(await customizing.done, 'rootfs');

    expect(seen).toMatch(/^bin\nboot\ndev\netc\nlib\nlib64\nproc\nroot\nsys\ntmp\nusr\n0\njob-\S+ x86_64 False\n$/);
    expect(terminal).toContain('/dev/pts/');
    expect(await fileIn(made, 'root/added')).toContain('sees the image alone');
    expect(await namesIn(made)).not.toContain('/tmp/complete');
    expect(customizing.shells.map(({ status }) => status)).toEqual(['establishing', 'active', 'complete']);
    expect(customizing.phases).toEqual(['fetching', 'waiting_on_user', 'packaging']);
    expect(customizing.log()).toContain(target.hostKey);
  });

  it('in a shell beside the image finds it below /mnt/image, and ends with a file there', async () => {
    const customizing = withShell({ jail: false }, rootfs, { requireDkms: true });
    const target = await active(customizing);

    const seen = await user.run(
      target,
      'ls /mnt/image/image-root; [ -e /mnt/image/image-root/proc/self ] && echo dkms',
    );
    await user.run(target, 'echo outside > /mnt/image/image-root/root/added; touch /mnt/image/complete');
    const made = await contentOf(await customizing.done, 'rootfs');

    expect(seen).toMatch(/^bin\nboot\n[^]*usr\ndkms\n$/);
    expect(await fileIn(made, 'root/added')).toBe('outside\n');
    expect((await namesIn(made)).filter((name) => name.startsWith('/proc/'))).toEqual([]);
  });

  it('in a shell cannot lead whoever comes next to a socket of this machine', async () => {
    let came = 0;
    const folder = await mkdtemp(join(tmpdir(), 'kiln-socket-'));
    const own = createServer((socket) => {
      came += 1;
      socket.end();
    }).listen(join(folder, 'sock'));
    const customizing = withShell({ jail: false });
    const target = await active(customizing);

    await user.run(target, `mv /job/shell.sock /job/mine && ln -s ${folder}/sock /job/shell.sock`);
    const seen = await user.run(target, 'readlink /job/shell.sock; touch /mnt/image/complete');
    await customizing.done;

    expect(seen).toBe(`${folder}/sock\n`);
    expect(came).toBe(0);
    own.close();
    await rm(folder, { recursive: true });
  });

  it('in a jailed shell does not end by what the image brings along in its /tmp', async () => {
    const flagged = await rootFilesystem(async (root) => {
      await writeFile(join(root, 'tmp/complete'), '');
      await mkdir(join(root, 'tmp/failed/below'), { recursive: true });
    });
    const customizing = withShell({}, flagged);
    const target = await active(customizing);

    await user.run(target, 'echo mine > /root/added; touch /tmp/complete');
    const made = await contentOf(await customizing.done, 'rootfs');

    expect(await fileIn(made, 'root/added')).toBe('mine\n');
    expect((await namesIn(made)).filter((name) => name.startsWith('/tmp/'))).toEqual([]);
  });

  it('in a shell cannot report in the name of the sandbox', async () => {
    const customizing = withShell({ jail: false });
    const target = await active(customizing);
    const steal = `
import ctypes, os
libc = ctypes.CDLL(None)
for pid in filter(str.isdigit, os.listdir('/proc')):
    with open('/proc/%s/cmdline' % pid) as line:
        if 'sandbox.py' not in line.read():
            continue
    pidfd = os.pidfd_open(int(pid))
    # pidfd_getfd has this number on every architecture, and reports go out by descriptor 4.
    taken = libc.syscall(438, pidfd, 4, 0)
    print('found', flush=True)
    if taken >= 0:
        os.write(taken, b'{"shell": {"hostKey": "forged"}}\\n{"result": {"ended": "forged"}}\\n')
`;
    await user.run(target, `cat > /tmp/steal.py <<'END'\n${steal}END`);

    const said = await user.run(target, 'python3 /tmp/steal.py; touch /mnt/image/complete');
    await customizing.done;

    expect(said).toMatch(/^found$/m);
    expect(customizing.log()).toContain('kiln: the shell was ended as complete');
    expect(customizing.log()).not.toContain('forged');
  });

  it.each([
    ['jailed', true, '/tmp/failed'],
    ['beside the image', false, '/mnt/image/failed'],
  ])('that is marked as failed makes no image: %s', async (_where, jail, flag) => {
    const customizing = withShell({ jail });
    await user.run(await active(customizing), `touch ${flag} ${flag.replace('failed', 'complete')}`);

    await expect(customizing.done).rejects.toMatchObject({ code: 'user.failed' });
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('lets nobody in but the owner of the key', async () => {
    const stranger = await SshUser.create();
    const customizing = withShell();
    const target = await active(customizing);

    await expect(stranger.run(target, 'id')).rejects.toMatchObject({
      stderr: expect.stringContaining('Permission denied'),
    });

    await user.run(target, 'touch /tmp/failed');
    await expect(customizing.done).rejects.toMatchObject({ code: 'user.failed' });
    await stranger.leave();
  });

  it('ends every session when the job is cancelled', async () => {
    const customizing = withShell();
    const target = await active(customizing);
    const session = user.run(target, 'sleep 60');
    session.catch(() => undefined);
    await eventually(() => customizing.log().includes('Accepted publickey'));
    const reason = new Error('cancelled');

    customizing.cancel(reason);

    await expect(customizing.done).rejects.toBe(reason);
    await expect(session).rejects.toMatchObject({ code: CONNECTION_CLOSED });
    await expect(user.run(target, 'true')).rejects.toMatchObject({ stderr: expect.stringContaining('refused') });
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('gives up a shell that nobody ends', async () => {
    const brief = await aBuilder({ KILN_SHELL_TIMEOUT: '3s' });
    const shell = { name: 'customize', jail: true, authorizedKey: user.publicKey };

    const customizing = start(brief.builder, order({ shell }), rootfs);

    await expect(customizing.done).rejects.toMatchObject({
      code: 'build.timeout',
      message: expect.stringContaining('3 seconds'),
    });
    expect(await workFolders(brief.buildsDir)).toEqual([]);
  });

  it.each([
    ['kernelFileName', '../etc/passwd'],
    ['kernelFileName', '../../../../../etc/passwd'],
    ['initrdFileName', '/etc/passwd'],
    ['initrdFileName', '..'],
  ])('takes nothing but files of /boot for its artifacts: %s %s', async (field, name) => {
    const { done } = customize({ ...touching, [field]: name });

    await expect(done).rejects.toMatchObject({
      code: 'build.file_missing',
      message: expect.stringContaining(`/boot/${name} (not a plain file name)`),
    });
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('leaves kernel parameters out that are named beyond /boot', async () => {
    const { done, log } = customize({ ...touching, kernelParametersFileName: '../etc/passwd' });

    expect((await done).files.map(({ role }) => role)).toEqual(['rootfs', 'kernel', 'initrd']);
    expect(log()).toContain('WARNING: /boot/../etc/passwd is left out: not a plain file name');
  });

  it('fails when the result is larger than allowed', async () => {
    const small = await aBuilder({ KILN_BUILD_OUTPUT_BYTES: String(2 ** 20) });

    const { done } = start(small.builder, order(touching), rootfs);

    await expect(done).rejects.toMatchObject({ code: 'build.output_too_large' });
    expect(await workFolders(small.buildsDir)).toEqual([]);
  });

  it('refuses what is no root file system', async () => {
    const { done } = scriptedOn(Buffer.from('hsqs, but no more than that'));

    await expect(done).rejects.toMatchObject({ code: 'image.invalid' });
  });

  it('mounts on no link and follows none out of an image that means harm', async () => {
    const hostile = await rootFilesystem(async (root) => {
      await rename(join(root, 'proc'), join(root, 'proc-of-old'));
      await symlink('/opt/kiln', join(root, 'proc'));
    });

    const { done } = scriptedOn(hostile);

    await expect(done).rejects.toMatchObject({ code: 'image.invalid', message: expect.stringContaining('/proc') });
  });

  const touching = { scripts: { updateOsPackages: false, items: [{ name: 'script 1', text: 'true' }] } };
  const scriptedOn = (source: Buffer) => customize(touching, source);
});
