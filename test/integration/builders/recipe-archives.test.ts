import { expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { aBuilder, anOrder, start, workFolders } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { tar, tarMembers, type TarMember } from '../../support/tar.js';

const CONFIG: TarMember = { name: 'config.xml', content: '<image/>' };

/** How the build of an archive ends: always in a failure, since no archive here is a whole recipe. */
async function endOf(archive: Buffer, options = {}) {
  const { builder, buildsDir } = await aBuilder({}, options);
  const build = start(builder, anOrder(), archive);
  const failure = await build.done.then(
    () => undefined,
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
  return { failure, phases: build.phases, folders: await workFolders(buildsDir) };
}

describeWith(BUILD_PROGRAMS, 'Recipe archives', () => {
  it.each<[string, TarMember[], RegExp]>([
    [
      'an absolute name',
      [CONFIG, { name: '/etc/cron.d/evil', content: 'x' }],
      /'\/etc\/cron\.d\/evil' is an absolute name/,
    ],
    ['a name that climbs', [CONFIG, { name: 'a/../../evil', content: 'x' }], /'a\/\.\.\/\.\.\/evil' climbs/],
    ['a link out', [CONFIG, { name: 'evil', type: '2', linkName: '/etc/shadow' }], /'evil' .*leads out.*\/etc\/shadow/],
    ['a relative link out', [CONFIG, { name: 'a/evil', type: '2', linkName: '../../x' }], /'a\/evil' .*leads out/],
    [
      'links that lead out together',
      [
        CONFIG,
        { name: 'here', type: '2', linkName: '.' },
        { name: 'evil', type: '2', linkName: 'here/../x' },
        { name: 'a/b/c/up', type: '2', linkName: '../../../here' },
        { name: 'far', type: '2', linkName: 'a/b/c/up/../../x' },
      ],
      /leads out of the recipe/,
    ],
    [
      'a file behind a link',
      [CONFIG, { name: 'sub', type: '2', linkName: 'root' }, { name: 'sub/evil', content: 'x' }],
      /'sub\/evil' lies behind a link/,
    ],
    [
      'a hard link out',
      [CONFIG, { name: 'evil', type: '1', linkName: '/etc/passwd' }],
      /'evil' is a hard link that leads out/,
    ],
    [
      'a hard link that climbs',
      [CONFIG, { name: 'evil', type: '1', linkName: '../../opt/kiln/sandbox.py' }],
      /'evil' is a hard/,
    ],
    [
      'a hard link through a link',
      [CONFIG, { name: 'root/l', type: '2', linkName: '/etc' }, { name: 'evil', type: '1', linkName: 'root/l/passwd' }],
      /'evil' is a hard link/,
    ],
    ['a character device', [CONFIG, { name: 'root/dev/mem', type: '3' }], /'root\/dev\/mem' is a device node/],
    ['a block device', [CONFIG, { name: 'sda', type: '4' }], /'sda' is a device node/],
    ['a named pipe', [CONFIG, { name: 'pipe', type: '6' }], /'pipe' is a named pipe/],
    ['no config.xml', [{ name: 'recipe/config.xml', content: '<image/>' }], /no file config\.xml at its top level/],
    ['a folder named config.xml', [{ name: 'config.xml', type: '5' }], /no file config\.xml/],
    ['a config.xml that is no XML', [{ name: 'config.xml', content: 'hello' }], /config\.xml is not well-formed XML/],
  ])('with %s are refused, naming what is wrong, and nothing is left', async (_what, members, message) => {
    const { failure, phases, folders } = await endOf(gzipSync(tar(members)));

    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(message) });
    expect(phases).toEqual(['fetching']);
    expect(folders).toEqual([]);
  });

  it.each<[string, Buffer, RegExp]>([
    ['no tar at all', Buffer.from('#!/bin/sh\necho hello\n'.repeat(100)), /no whole tar file/],
    ['empty', Buffer.alloc(0), /no whole tar file|no file config\.xml/],
    ['a gzip file cut short', gzipSync(tar([CONFIG])).subarray(0, 60), /no whole tar file/],
    ['a tar cut short', tar([{ ...CONFIG, sizeBytes: 100_000 }]), /no whole tar file|cannot be unpacked/],
  ])('that are %s are refused', async (_what, archive, message) => {
    const { failure } = await endOf(archive);

    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(message) });
  });

  it('that unpack to more than allowed are refused before they do', async () => {
    const bomb = gzipSync(tar([CONFIG, { name: 'zeros', content: Buffer.alloc(20 * 2 ** 20) }]));

    const { failure, folders } = await endOf(bomb, { recipeUnpackedBytes: 10 * 2 ** 20 });

    expect(bomb.length).toBeLessThan(100_000);
    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/larger than allowed/) });
    expect(folders).toEqual([]);
  });

  it('with more entries than allowed are refused', async () => {
    const many = tar(Array.from({ length: 12 }, (_, index) => ({ name: `file-${index}` })));

    const { failure } = await endOf(many, { recipeEntries: 10 });

    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/more than 10 entries/) });
  });

  it('with a million names are refused, however small they are', async () => {
    // Compressed pieces one after the other are one compressed file.
    const piece = gzipSync(tarMembers(Array.from({ length: 1000 }, (_, index) => ({ name: `file-${index}` }))));
    const archive = Buffer.concat(Array.from({ length: 1000 }, () => piece));

    const { failure, folders } = await endOf(archive);

    expect(failure).toMatchObject({
      code: 'recipe.invalid',
      message: expect.stringMatching(/more than 100000 entries/),
    });
    expect(folders).toEqual([]);
  }, 300_000);

  it('with a file of nothing but a hole of gibibytes are refused', async () => {
    const hole: TarMember = { name: 'hole', type: 'S', wholeBytes: 7 * 2 ** 30 };

    const { failure, folders } = await endOf(tar([CONFIG, hole]));

    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/larger than allowed/) });
    expect(folders).toEqual([]);
  });

  it('with a name of mebibytes are refused in a message that is short', async () => {
    const said = ` path=${'n'.repeat(8 * 2 ** 20)}\n`;
    const long: TarMember = { name: 'x', type: 'x', content: `${said.length + 7}${said}` };

    const { failure, folders } = await endOf(gzipSync(tar([CONFIG, long, { name: 'short', content: 'x' }])));

    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/cannot be unpacked/) });
    expect(failure!.message.length).toBeLessThan(1000);
    expect(folders).toEqual([]);
  });

  it('larger than registered are not even read to their end', async () => {
    const { builder } = await aBuilder();

    const { done } = start(builder, anOrder({ sourceSizeBytes: 1_000 }), tar([CONFIG]));

    await expect(done).rejects.toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/1000 bytes/) });
  });

  it.each([
    ['that break off are fetched again', (whole: Buffer) => whole.subarray(0, 700), /ended \d+ bytes too early/],
    ['that arrive damaged are fetched again', (whole: Buffer) => Buffer.from(whole).fill(1, 0, 9), /md5/],
  ])('%s, and fail the build in the end', async (_how, damage, said) => {
    const { builder } = await aBuilder({}, { sourcePauseMs: 10, sourceTries: 3 });
    const archive = tar([CONFIG]);
    const endAfter = async (failures: number) => {
      let fetched = 0;
      const open = () => Readable.from([(fetched += 1) > failures ? archive : damage(archive)]);
      const build = start(builder, anOrder(), archive, undefined, undefined, open);
      const failure = (await build.done.catch((error: unknown) => error)) as { code: string; message: string };
      return { failure, fetched, phases: build.phases, log: build.log() };
    };

    const mended = await endAfter(2);
    const lost = await endAfter(3);

    expect(mended.fetched).toBe(3);
    expect(mended.phases).toContain('building');
    expect(mended.log).toMatch(said);
    expect(lost).toMatchObject({ fetched: 3, phases: ['fetching'], failure: { code: 'build.failed' } });
    expect(lost.failure.message).toMatch(said);
  });

  it('may be plain tar, name their folder, and hold links within the recipe or into the image', async () => {
    const archive = tar([
      { name: './', type: '5', mode: 0o755 },
      { name: './config.xml', content: '<image><repository><source path="file:///x"/></repository></image>' },
      { name: './root/etc/wants/a.service', type: '2', linkName: '/usr/lib/systemd/system/a.service' },
      { name: './copy', type: '2', linkName: 'config.xml' },
      { name: './same', type: '1', linkName: './config.xml' },
    ]);

    const { failure, phases } = await endOf(archive);

    // Past the checks of the archive, where kiwi finds fault with the description.
    expect(phases).toEqual(['fetching', 'waiting_for_repositories', 'building']);
    expect(failure).toMatchObject({ code: 'recipe.invalid', message: expect.stringMatching(/^Kiwi/) });
  });
});
