import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aBuilder, anOrder, contentOf, start, workFolders } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { fileIn, namesIn } from '../../support/disks/root-filesystem.js';
import { RPM_PROGRAMS, type RpmPackages, rpmRecipe, rpmRepository } from '../../support/disks/rpm-distribution.js';

const run = promisify(execFile);

jest.setTimeout(180_000);

describeWith([...BUILD_PROGRAMS, ...RPM_PROGRAMS, 'openssl'], 'Recipes of distributions of rpm packages', () => {
  let folder: string;
  let repository: string;
  let authority: string;
  let world: Awaited<ReturnType<typeof aBuilder>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-authority-'));
    const [key, file] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const what = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=the site'];
    await run('openssl', ['req', '-x509', ...what, '-keyout', key, '-out', file]);
    authority = await readFile(file, 'utf8');
    repository = await rpmRepository();
    world = await aBuilder({ KILN_BUILD_REPOS: repository, KILN_BUILD_CA_FILE: file });
  });
  afterAll(async () => {
    for (const path of [folder, repository]) await rm(path, { recursive: true, force: true });
  });

  const build = (packageManager: string, packages: RpmPackages) =>
    start(world.builder, anOrder(), rpmRecipe(packageManager, packages));

  it.each([
    ['zypper', { bootstrap: ['tiny-base'], image: ['tiny-more'] }],
    ['dnf', { bootstrap: ['tiny-base', 'tiny-more'] }],
  ])('are built with %s, and their images trust the authorities of the site', async (packageManager, packages) => {
    const { done } = build(packageManager, packages);

    const result = await done;

    const rootfs = await contentOf(result, 'rootfs');
    expect(await fileIn(rootfs, 'etc/os-release')).toBe('ID=tiny\n');
    expect(await fileIn(rootfs, 'etc/more')).toBe('more\n');
    expect(await fileIn(rootfs, 'etc/configured')).toBe('configured\n');
    expect(await fileIn(rootfs, 'etc/ca-bundle.pem')).toBe(authority);
    expect((await contentOf(result, 'kernel')).toString()).toBe('a kernel\n');
    expect(await workFolders(world.buildsDir)).toEqual([]);
  });

  it('are customized by package managers of their own, of which nothing stays', async () => {
    const built = build('zypper', { bootstrap: ['tiny-base'], image: ['tiny-more'] });
    const source = await contentOf(await built.done, 'rootfs');
    const install = 'zypper --non-interactive --no-gpg-checks --plus-repo dir:///repo install tiny-kernel-folders';

    const { done } = start(
      world.builder,
      anOrder({
        jobType: 'customize',
        recipeType: null,
        scripts: { updateOsPackages: false, items: [{ name: 'script 1', text: install }] },
      }),
      source,
    );

    const result = await done;

    const rootfs = await contentOf(result, 'rootfs');
    expect(await fileIn(rootfs, 'etc/folders')).toBe('there\n');
    expect(await namesIn(rootfs)).not.toContain('/etc/rpm/macros.kiln');
  });

  it.each([
    ['zypper', "No provider of 'nonesuch' found"],
    ['dnf', 'No match for argument: nonesuch'],
  ])('say which package %s does not find', async (packageManager, message) => {
    const { done } = build(packageManager, { bootstrap: ['tiny-base', 'nonesuch'] });

    await expect(done).rejects.toMatchObject({ code: 'build.failed', message: expect.stringContaining(message) });
  });

  it('say which package manager a worker does not have', async () => {
    const { done, phases } = build('microdnf', { bootstrap: ['tiny-base'] });

    await expect(done).rejects.toMatchObject({
      code: 'builder.unavailable',
      message: 'The recipe is built with microdnf, which this worker does not have',
    });
    expect(phases).toEqual(['fetching']);
  });
});
