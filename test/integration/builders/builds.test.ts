import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalBuilder } from '../../../src/builders/local/local.builder.js';
import { archProblem } from '../../../src/builders/sandbox/host.js';
import { BuildFailedError } from '../../../src/modules/jobs/index.js';
import { aBuilder, anOrder, contentOf, start, workFolders } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { fileIn } from '../../support/disks/root-filesystem.js';
import { tar } from '../../support/tar.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../../support/recipes.js';

const run = promisify(execFile);
const EXAMPLE = join(import.meta.dirname, '..', '..', '..', 'examples', 'debian-tiny');

/** Nobody reads it: what matters is where it comes to lie. */
const AUTHORITY = '-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n';

/** The tiny recipe with further lines in its config.sh, and files beside it. */
async function tinyWith(lines: string, files: Readonly<Record<string, string>> = {}): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-recipe-'));
  await cp(EXAMPLE, folder, { recursive: true });
  await writeFile(join(folder, 'config.sh'), `${await readFile(join(folder, 'config.sh'), 'utf8')}\n${lines}\n`);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const { stdout } = await run('tar', ['-C', folder, '-cz', '.'], { encoding: 'buffer' });
  await rm(folder, { recursive: true });
  return stdout;
}

describeWith(BUILD_PROGRAMS, 'Builds of the tiny recipe from an offline repository', () => {
  let builder: LocalBuilder;
  let buildsDir: string;
  let server: Server;
  let visitors = 0;
  let builds: Record<'plain' | 'curious' | 'failing' | 'kernelless', ReturnType<typeof start>>;

  // Real builds take most of a minute on two cores, so four run at once and the tests look at what came of them.
  beforeAll(async () => {
    const authorities = join(await mkdtemp(join(tmpdir(), 'kiln-ca-')), 'ca.pem');
    await writeFile(authorities, AUTHORITY);
    const made = await aBuilder({ KILN_BUILD_REPOS: await offlineRepository(), KILN_BUILD_CA_FILE: authorities });
    ({ builder, buildsDir } = made);
    server = createServer((_request, response) => {
      visitors++;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;

    // What a recipe that means harm finds out goes into the file that the job takes as kernel parameters.
    const curious = await tinyWith(
      `
      says() { echo "$1: $( (eval "$2") >/dev/null 2>&1 && echo yes || echo no)" >> /boot/kernel-parameters; }
      : > /boot/kernel-parameters
      says 'reaches loopback' 'exec 3<>/dev/tcp/127.0.0.1/${port}'
      says 'writes the repository' 'mount -o remount,rw,bind /repo; touch /repo/evil'
      says 'takes the repository away' 'umount /repo/. /usr'
      says 'sees other processes' '[ $(ls -d /proc/[0-9]* | wc -l) -gt 60 ]'
      says 'sees the environment of the worker' 'tr "\\0" "\\n" < /proc/1/environ | grep -q HOME=/root && grep -q KILN_DATA /proc/1/environ'
      echo 'of-the-image:*:1::::::' > /etc/shadow
      mkdir -p /image
      ln -sf /etc/shadow /boot/vmlinuz
      ln -sf ../../../../../../../../etc/shadow /boot/initrd`,
      { 'post_bootstrap.sh': '#!/bin/bash\necho the recipe > /etc/after-bootstrap' },
    );
    builds = {
      plain: start(builder, anOrder({ template: await offlineTemplate('first') }), await recipeArchive('debian-tiny')),
      curious: start(builder, anOrder({ template: await offlineTemplate('second') }), curious),
      failing: start(
        builder,
        anOrder({ template: await offlineTemplate('third') }),
        await tinyWith('echo last words >&2\nexit 3'),
      ),
      kernelless: start(
        builder,
        anOrder({ template: await offlineTemplate('fourth'), kernelFileName: 'Image' }),
        await tinyWith('mkdir /boot/Image'),
      ),
    };
    await Promise.allSettled(Object.values(builds).map(({ done }) => done));
  }, 900_000);

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  it('give a root file system, a kernel, an initrd and kernel parameters', async () => {
    const result = await builds.plain.done;

    expect(result.files.map((file) => file.role)).toEqual(['rootfs', 'kernel', 'initrd', 'boot_parameters']);
    expect((await contentOf(result, 'rootfs')).subarray(0, 4).toString()).toBe('hsqs');
    expect((await contentOf(result, 'initrd')).subarray(0, 2).toString('hex')).toBe('1f8b');
    expect((await contentOf(result, 'kernel')).toString()).toBe('No kernel: first is made for tests\n');
  });

  it('report their phases in order, a percentage and the log', () => {
    const { phases, percents, log } = builds.plain;

    expect(phases).toEqual(['fetching', 'waiting_for_repositories', 'building', 'packaging']);
    expect(percents).toEqual(expect.arrayContaining([8, 86, 100]));
    expect(percents.every((percent) => percent >= 0 && percent <= 100)).toBe(true);
    expect(log()).toMatch(/Rendered config\.xml\n[^]*Calling config\.sh script\n[^]*Filesystem size/);
  });

  it('keep owners and make the filled recipe readable for root alone', async () => {
    const rootfs = join(await mkdtemp(join(tmpdir(), 'kiln-rootfs-')), 'rootfs');
    await writeFile(rootfs, await contentOf(await builds.plain.done, 'rootfs'));

    const { stdout } = await run('unsquashfs', ['-lln', rootfs], { maxBuffer: 2 ** 26 });

    expect(stdout).toMatch(/^drwx------ 0\/0 .* squashfs-root\/image$/m);
    expect(stdout).toMatch(/^-rw-r----- 0\/42 .* squashfs-root\/etc\/shadow$/m);
    expect(stdout).toMatch(/^-rwxr-xr-x 0\/0 .* squashfs-root\/image\/config\.sh$/m);
  });

  it("make the site's authorities known before the packages of the image come, beside the recipe's own script", async () => {
    const [plain, curious] = [await builds.plain.done, await builds.curious.done];

    for (const result of [plain, curious]) {
      const rootfs = await contentOf(result, 'rootfs');
      expect(await fileIn(rootfs, 'usr/local/share/ca-certificates/cray_certificate_authority.crt')).toBe(AUTHORITY);
      expect(await fileIn(rootfs, 'etc/ssl/certs/ca-certificates.crt')).toContain(AUTHORITY);
      expect(await fileIn(rootfs, 'etc/cray/ca/certificate_authority.crt')).toBe(AUTHORITY);
    }
    expect(await fileIn(await contentOf(curious, 'rootfs'), 'etc/after-bootstrap')).toBe('the recipe\n');
  });

  it('at the same time do not meet', async () => {
    expect((await contentOf(await builds.plain.done, 'kernel')).toString()).toContain('first');
    expect(builds.failing.log()).toContain('last words');
    expect(builds.plain.log()).not.toContain('last words');
  });

  it('let a recipe out of its sandbox in no way we know', async () => {
    const found = (await contentOf(await builds.curious.done, 'boot_parameters')).toString();

    expect(found).toBe(
      [
        'reaches loopback: no',
        'writes the repository: no',
        'takes the repository away: no',
        'sees other processes: no',
        'sees the environment of the worker: no',
        '',
      ].join('\n'),
    );
    expect(visitors).toBe(0);
  });

  it('follow links of the image only within the image', async () => {
    const result = await builds.curious.done;

    expect((await contentOf(result, 'kernel')).toString()).toBe('of-the-image:*:1::::::\n');
    expect((await contentOf(result, 'initrd')).toString()).toBe('of-the-image:*:1::::::\n');
  });

  it('fail when a script fails, naming it', async () => {
    await expect(builds.failing.done).rejects.toMatchObject({
      code: 'build.script_failed',
      message: expect.stringMatching(/^KiwiScriptFailed: config\.sh failed: last words/),
    });
  });

  it('fail when the kernel is no regular file, saying what is there', async () => {
    await expect(builds.kernelless.done).rejects.toMatchObject({
      code: 'build.file_missing',
      message: expect.stringMatching(
        /no regular file \/boot\/Image .*\/boot holds Image, initrd, kernel-parameters, vmlinuz/,
      ),
    });
  });

  it('leave nothing behind, however they end', async () => {
    expect(await workFolders(buildsDir)).toEqual([]);
  });

  it('fail when they use more disk than allowed', async () => {
    const small = await aBuilder({
      KILN_BUILD_REPOS: await offlineRepository(),
      KILN_BUILD_DISK_BYTES: String(40 * 2 ** 20),
    });

    const { done } = start(
      small.builder,
      anOrder({ template: await offlineTemplate('large') }),
      await recipeArchive('debian-tiny'),
    );

    await expect(done).rejects.toMatchObject({ code: 'build.out_of_disk' });
    expect(await workFolders(small.buildsDir)).toEqual([]);
  }, 200_000);

  it('fail when they take longer than allowed', async () => {
    const brief = await aBuilder({ KILN_BUILD_REPOS: await offlineRepository(), KILN_BUILD_TIMEOUT: '3s' });

    const { done } = start(
      brief.builder,
      anOrder({ template: await offlineTemplate('slow') }),
      await recipeArchive('debian-tiny'),
    );

    await expect(done).rejects.toMatchObject({ code: 'build.timeout', message: expect.stringContaining('3 seconds') });
    expect(await workFolders(brief.buildsDir)).toEqual([]);
  });

  it('stop when a report is refused, with its reason', async () => {
    const refusal = new Error('lease lost');
    const refuse = (phase: string) => (phase === 'building' ? Promise.reject(refusal) : undefined);

    const { done } = start(
      builder,
      anOrder({ template: await offlineTemplate('lost') }),
      await recipeArchive('debian-tiny'),
      refuse,
    );

    await expect(done).rejects.toBe(refusal);
    expect(await workFolders(buildsDir)).toEqual([]);
  });
});

describeWith(BUILD_PROGRAMS, 'Orders that cannot be built here', () => {
  const other = process.arch === 'arm64' ? 'x86_64' : 'aarch64';

  it('are refused before anything is made: another architecture, unless it is emulated', async () => {
    const { builder, buildsDir } = await aBuilder();
    const problem = await archProblem(other);

    const { done, phases } = start(builder, anOrder({ arch: other }), tar([]));

    const refused = { code: 'builder.arch_unsupported', message: expect.stringContaining('qemu-user-static') };
    await expect(done).rejects.toBeInstanceOf(BuildFailedError);
    await expect(done).rejects.toMatchObject(problem === undefined ? { code: 'recipe.invalid' } : refused);
    expect(phases).toEqual(problem === undefined ? ['fetching'] : []);
    expect(await workFolders(buildsDir)).toEqual([]);
  });

  it('are known beforehand: readiness tells what is usable', async () => {
    const { builder } = await aBuilder();

    const found = await builder.readiness();

    expect(found.map((each) => each.builder)).toEqual(['kiwi-ng', 'packer', 'customize']);
    expect(found[0]).toEqual({ builder: 'kiwi-ng', usable: true });
    for (const { usable, problem } of found) expect(problem).toEqual(usable ? undefined : expect.any(String));
  });
});
