// The exchanges are those of the Image Management Service v3 source: remote build nodes. The tenants are Kiln's.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NOT_FOUND, problem } from './wire.js';

const PATH = '/v3/remote-build-nodes';
const XNAME = 'x3000c0s17b1n0';

let kiln: RunningKiln;
let ims: ImsClient;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ims = new ImsClient(kiln);
  [alice, bob, rita] = (await Promise.all(['alice', 'bob', 'rita'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
  ];
});
afterAll(() => kiln?.stop());
beforeEach(async () => {
  for (const token of [alice, bob]) expect((await ims.delete(PATH, token)).status).toBe(204);
});

const add = async (xname: string, token = alice) => {
  const { status, body } = await ims.post(PATH, { xname }, token);
  expect([status, body]).toEqual([201, { xname }]);
};
const unreachable = (xname: string) => ({
  xname,
  sshStatus: expect.stringContaining('Unable to connect'),
  podmanStatus: 'Unknown',
  nodeArch: 'Unknown',
  numCurrentJobs: -1,
  ableToRunJobs: false,
});

describe('/v3/remote-build-nodes', () => {
  it('names nodes, each once, and lists them in the order of naming', async () => {
    for (const xname of ['b', 'a', 'b', 'c/d é']) await add(xname);

    expect((await ims.get(PATH, rita)).body).toEqual([{ xname: 'b' }, { xname: 'a' }, { xname: 'c/d é' }]);
    expect((await ims.get(`${PATH}/${encodeURIComponent('c/d é')}`, rita)).body).toEqual({ xname: 'c/d é' });
  });

  it('says of every node that it cannot be reached', async () => {
    await add(XNAME);
    await add('b');

    expect((await ims.get(`${PATH}/status/${XNAME}`, rita)).body).toEqual(unreachable(XNAME));
    expect((await ims.get(`${PATH}/status`, rita)).body).toEqual([unreachable(XNAME), unreachable('b')]);
  });

  it('forgets one, once, and all of the tenant', async () => {
    for (const xname of [XNAME, 'b', 'c']) await add(xname);
    await add('bobs', bob);

    const racing = await Promise.all([1, 2, 3, 4].map(() => ims.delete(`${PATH}/${XNAME}`, alice)));
    expect(racing.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404]);
    expect((await ims.delete(PATH, alice)).status).toBe(204);
    expect((await ims.get(PATH, alice)).body).toEqual([]);
    expect((await ims.get(PATH, bob)).body).toEqual([{ xname: 'bobs' }]);
  });

  it.each([
    ['no name', { name: 'x' }, ['name', 'xname']],
    ['an empty name', { xname: '' }, ['xname']],
    ['a number', { xname: 5 }, ['xname']],
    ['null', { xname: null }, ['xname']],
    ['more than a name', { xname: 'x', arch: 'x86_64' }, ['arch']],
    ['NUL', { xname: 'a\0b' }, ['xname']],
    ['too long a name', { xname: 'x'.repeat(256) }, ['xname']],
  ])('refuses %s', async (_what, wanted, fields) => {
    const { status, body } = await ims.post(PATH, wanted, alice);

    expect([status, body]).toEqual([
      422,
      { ...problem(422, 'Unprocessable Entity', INVALID_FIELDS), errors: expect.any(Object) },
    ]);
    expect(Object.keys(body.errors).sort()).toEqual(fields);
  });

  it('knows nothing of what was not named, or by another tenant', async () => {
    await add('bobs', bob);

    for (const name of ['bobs', 'nothing', '%00', 'x'.repeat(1000)]) {
      for (const answer of [
        await ims.get(`${PATH}/${name}`, alice),
        await ims.get(`${PATH}/status/${name}`, alice),
        await ims.delete(`${PATH}/${name}`, alice),
      ]) {
        expect(answer.body).toEqual(problem(404, 'Not Found', NOT_FOUND));
      }
    }
  });

  it('is read by readers, changed by members, and part of version 3 only', async () => {
    await add(XNAME);

    for (const answer of [
      await ims.post(PATH, { xname: 'x' }, rita),
      await ims.delete(PATH, rita),
      await ims.delete(`${PATH}/${XNAME}`, rita),
    ]) {
      expect(answer.status).toBe(403);
    }
    expect((await ims.get(`${PATH}/status`)).status).toBe(401);
    for (const path of ['/remote-build-nodes', '/v2/remote-build-nodes']) {
      expect((await ims.get(path, alice)).status).toBe(404);
    }
  });
});
