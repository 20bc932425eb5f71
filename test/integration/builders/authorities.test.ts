import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Kiln } from '../../../src/builders/program/kiln.js';
import { networkProblem } from '../../../src/builders/sandbox/host.js';
import { aBuilder, anOrder, contentOf, start } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { fileIn, rootFilesystem } from '../../support/disks/root-filesystem.js';
import { tar } from '../../support/tar.js';

const run = promisify(execFile);
const KEPT = 'etc/cray/ca/certificate_authority.crt';
const ADDRESS = Object.values(networkInterfaces())
  .flat()
  .find((candidate) => candidate?.family === 'IPv4' && !candidate.internal)?.address;
const PROBLEM = (await networkProblem()) ?? (ADDRESS ? undefined : 'an address beside the loopback');

jest.setTimeout(180_000);

describeWith(['openssl', 'bwrap', 'mksquashfs', 'unsquashfs', 'sshd'], 'The authorities of the site', () => {
  let folder: string;
  let certificate: string;
  let world: Awaited<ReturnType<typeof aBuilder>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-authorities-'));
    const [key, file] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const names = ['-subj', '/CN=the site', '-addext', `subjectAltName=IP:${ADDRESS ?? '127.0.0.1'}`];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', file, ...names]);
    certificate = await readFile(file, 'utf8');
    // As careless as people are: their key is beside it.
    await writeFile(file, `${await readFile(key, 'utf8')}${certificate}`);
    world = await aBuilder({ KILN_BUILD_CA_FILE: file });
  });
  afterAll(() => rm(folder, { recursive: true }));

  const customize = (source: Buffer, text = 'true') =>
    start(
      world.builder,
      anOrder({
        jobType: 'customize',
        recipeType: null,
        scripts: { updateOsPackages: false, items: [{ name: 'script 1', text }] },
      }),
      source,
    );

  it('are in an image before anybody customizes it, and stay; their key is not', async () => {
    const { done, log } = customize(await rootFilesystem(), `cat /${KEPT}`);

    const made = await contentOf(await done, 'rootfs');

    expect(await fileIn(made, KEPT)).toBe(certificate);
    expect(log()).toContain('BEGIN CERTIFICATE');
    expect(log()).not.toContain('PRIVATE KEY');
  });

  it('are written to no place that a link of the image names', async () => {
    const hostile = await rootFilesystem(async (root) => symlink('/opt/kiln', join(root, 'etc/cray')));

    const { done } = customize(hostile);

    await expect(done).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining('/etc/cray/ca'),
    });
  });

  it.each([
    ['cannot be read', 'nowhere.pem', null, /nowhere\.pem/],
    ['has none', 'empty.pem', 'nothing of use\n', /no certificate/],
  ])('end a build before it starts if their file %s', async (_what, name, content, message) => {
    const path = join(folder, name);
    if (content !== null) await writeFile(path, content);
    const { builder } = await aBuilder({ KILN_BUILD_CA_FILE: path });

    const { done, phases } = start(builder, anOrder(), tar([]));

    await expect(done).rejects.toMatchObject({
      code: 'builder.unavailable',
      message: expect.stringMatching(message),
    });
    expect(phases).toEqual([]);
  });

  (PROBLEM === undefined ? describe : describe.skip)(`over a network${PROBLEM ? ` [needs ${PROBLEM}]` : ''}`, () => {
    let server: Server;
    let asked: string[];
    beforeAll(async () => {
      server = createServer({ key: await readFile(join(folder, 'key.pem')), cert: certificate }, (request, reply) => {
        asked.push(request.url!);
        reply.end();
      });
      server.listen(0, '0.0.0.0');
      await once(server, 'listening');
    });
    afterAll(() => new Promise((resolve) => server.close(resolve)));

    it('are trusted by the builder program itself, when it talks to Kiln and to stores', async () => {
      asked = [];
      const url = `https://${ADDRESS}:${(server.address() as AddressInfo).port}/program`;
      const [source, never] = [{ url, headers: {} }, new AbortController().signal];
      const order = { source, upload: source, report: source };
      const fetching = (authorities: string[]) =>
        new Kiln({ ...order, authorities }, 0, () => undefined, never).source();

      expect(await text(await fetching([certificate]))).toBe('');
      await expect(fetching([])).rejects.toThrow(/self-signed certificate/);
      expect(asked).toEqual(['/program']);
    });

    const recipe = () => {
      const url = `https://${ADDRESS}:${(server.address() as AddressInfo).port}/r`;
      const repository = `<repository type="rpm-dir"><source path="${url}"/></repository>`;
      return tar([{ name: 'config.xml', content: `<image><packages/>${repository}</image>` }]);
    };

    describeWith(BUILD_PROGRAMS, 'with kiwi-ng', () => {
      it('are trusted for package repositories', async () => {
        asked = [];

        const { done, phases } = start(world.builder, anOrder(), recipe());

        await expect(done).rejects.toMatchObject({ code: 'recipe.invalid' });
        expect([asked, phases]).toEqual([['/r'], expect.arrayContaining(['building'])]);
      });

      it('are what makes them trusted', async () => {
        asked = [];
        const { builder } = await aBuilder();

        const { done } = start(builder, anOrder(), recipe());

        await expect(done).rejects.toMatchObject({
          code: 'repository.unreachable',
          message: expect.stringMatching(/certificate/i),
        });
        expect(asked).toEqual([]);
      });
    });
  });
});
