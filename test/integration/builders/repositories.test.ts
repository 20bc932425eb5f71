import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { networkProblem } from '../../../src/builders/sandbox/host.js';
import { aBuilder, anOrder, start } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { tar } from '../../support/tar.js';

/** An address of this machine that is not its loopback, where a build may reach a server of the test. */
const ADDRESS = Object.values(networkInterfaces())
  .flat()
  .find((candidate) => candidate?.family === 'IPv4' && !candidate.internal)?.address;
const PROBLEM = (await networkProblem()) ?? (ADDRESS ? undefined : 'an address beside the loopback');

const recipe = (repository: string) =>
  tar([{ name: 'config.xml', content: `<image><packages/>${repository}</image>` }]);
const apt = (url: string) => `<repository type="apt-deb" distribution="stable"><source path="${url}"/></repository>`;

let server: Server;
let requests: string[];
let answer: (url: string) => number;
let port: number;

/** Builds until the repositories have answered or been given up; the recipe itself is no whole one. */
async function wait(repository: string, options = {}) {
  const { builder } = await aBuilder({}, options);
  const build = start(builder, anOrder(), recipe(repository));
  const failure = await build.done.then(
    () => undefined,
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
  return { failure, phases: build.phases, log: build.log() };
}

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.statusCode = answer(request.url!);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

describeWith(BUILD_PROGRAMS, 'Waiting for repositories', () => {
  it('passes over sources that are not reached by http', async () => {
    const { phases } = await wait(apt('file:///x') + apt('dir:///y'));

    expect(phases).toEqual(['fetching', 'waiting_for_repositories', 'building']);
  });

  (PROBLEM === undefined ? describe : describe.skip)(`over a network${PROBLEM ? ` [needs ${PROBLEM}]` : ''}`, () => {
    it.each<[string, string, string[]]>([
      ['apt-deb', 'type="apt-deb" distribution="stable"', ['HEAD /r/dists/stable/InRelease']],
      ['rpm-md', 'type="rpm-md"', ['HEAD /r/repodata/repomd.xml']],
      ['no type', '', ['HEAD /r/repodata/repomd.xml']],
      ['rpm-dir', 'type="rpm-dir"', ['HEAD /r']],
    ])('asks a repository of type %s for what it must have', async (_type, attributes, expected) => {
      requests = [];
      answer = () => 200;

      const { failure, phases } = await wait(
        `<repository ${attributes}><source path="http://${ADDRESS}:${port}/r"/></repository>`,
      );

      expect(requests).toEqual(expected);
      expect([failure, phases]).toEqual([expect.anything(), expect.arrayContaining(['building'])]);
    });

    it('takes Release where there is no InRelease', async () => {
      requests = [];
      answer = (url) => (url.endsWith('/Release') ? 200 : 404);

      const { failure, phases } = await wait(apt(`http://${ADDRESS}:${port}/r/`));

      expect(requests).toEqual(['HEAD /r/dists/stable/InRelease', 'HEAD /r/dists/stable/Release']);
      expect([failure, phases]).toEqual([expect.anything(), expect.arrayContaining(['building'])]);
    });

    it('goes on as soon as a repository that was not there answers', async () => {
      requests = [];
      answer = () => (requests.length > 4 ? 200 : 503);

      const { failure, phases, log } = await wait(apt(`http://${ADDRESS}:${port}/r`), { repositoryGiveUpMs: 20_000 });

      expect(log).toMatch(/Waiting for repository .*HTTP status 503/);
      expect(requests).toHaveLength(5);
      expect([failure, phases]).toEqual([expect.anything(), expect.arrayContaining(['building'])]);
    });

    it('gives up in the end, naming the repository', async () => {
      requests = [];
      answer = (url) => (url.startsWith('/there') ? 200 : 404);

      const { failure, phases } = await wait(
        apt(`http://${ADDRESS}:${port}/there`) + apt(`http://${ADDRESS}:${port}/gone`),
        { repositoryGiveUpMs: 500 },
      );

      expect(failure).toMatchObject({
        code: 'repository.unreachable',
        message: expect.stringContaining(`http://${ADDRESS}:${port}/gone`),
      });
      expect(phases).toEqual(['fetching', 'waiting_for_repositories']);
    });

    it('gives up as soon as it is time, however many repositories keep silent', async () => {
      const silent = createTcpServer().listen(0, '0.0.0.0');
      const sockets = new Set<Socket>();
      silent.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
      await once(silent, 'listening');
      const url = `http://${ADDRESS}:${(silent.address() as AddressInfo).port}`;
      const began = Date.now();

      const { failure } = await wait(Array.from({ length: 30 }, (_, number) => apt(`${url}/${number}`)).join(''), {
        repositoryGiveUpMs: 3_000,
      });

      expect(failure).toMatchObject({ code: 'repository.unreachable', message: expect.stringContaining(`${url}/0`) });
      // One after the other they would take ten seconds each, twice.
      expect(Date.now() - began).toBeLessThan(60_000);
      for (const socket of sockets) socket.destroy();
      silent.close();
    });

    // 10.0.2.2 is what slirp4netns calls the host itself.
    it.each(['127.0.0.1', 'localhost', '10.0.2.2'])("does not reach the host's loopback by %s", async (host) => {
      requests = [];
      answer = () => 200;

      const { failure } = await wait(apt(`http://${host}:${port}/r`), { repositoryGiveUpMs: 300 });

      expect(requests).toEqual([]);
      expect(failure).toMatchObject({ code: 'repository.unreachable', message: expect.stringContaining(host) });
    });
  });
});
