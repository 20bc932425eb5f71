// The exchanges are those of the Image API v2 reference ("Image actions") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients } from './wire.js';

let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(() => kiln?.stop());

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const turn = (client: Client, id: string, action: 'deactivate' | 'reactivate', body?: unknown) =>
  client.ask('POST', `/v2/images/${id}/actions/${action}`, body);
const withData = () => alice.createWithData(Buffer.from('bytes'), { visibility: 'community' });

describe('taking an image out of use', () => {
  it('keeps everybody but administrators from its data, and nothing else', async () => {
    const { id } = await withData();

    const answer = await turn(alice, id, 'deactivate');

    expect([answer.status, answer.text]).toEqual([204, '']);
    expect((await bob.show(id)).body).toMatchObject({ status: 'deactivated' });
    const file = `/v2/images/${id}/file`;
    expect(of(await alice.ask('GET', file), await bob.ask('GET', file), await root.ask('GET', file))).toEqual([
      403, 403, 200,
    ]);
    expect(of(await alice.upload(id, 'other'))).toEqual([409]);
    expect(of(await alice.patch(id, [{ op: 'replace', path: '/name', value: 'kept' }]))).toEqual([200]);
    expect(of(await alice.ask('DELETE', `/v2/images/${id}`))).toEqual([204]);
  });

  it('tells nobody but administrators where the data lies meanwhile', async () => {
    const { id } = await withData();
    const shown = async (client: Client) => [
      (await client.show(id)).body.stores,
      (await client.ask('GET', `/v2/images?id=${id}&visibility=community`)).body.images[0].stores,
    ];
    const before = await shown(bob);

    await turn(alice, id, 'deactivate');

    expect(before).toEqual(['default', 'default']);
    expect(await shown(alice)).toEqual([undefined, undefined]);
    expect(await shown(root)).toEqual(before);
    await turn(alice, id, 'reactivate');
    expect(await shown(bob)).toEqual(before);
  });

  it('ends when it is put back, and may be said twice', async () => {
    const { id } = await withData();

    const answers = [
      await turn(alice, id, 'reactivate'),
      await turn(alice, id, 'deactivate'),
      await turn(root, id, 'deactivate'),
      await turn(alice, id, 'reactivate'),
    ];

    expect(of(...answers)).toEqual([204, 204, 204, 204]);
    expect((await alice.ask('GET', `/v2/images/${id}/file`)).text).toBe('bytes');
  });

  it('is refused to who does not own it, as missing where it is not seen', async () => {
    const { id } = await withData();
    const hidden = await alice.create();

    expect(of(await turn(rita, id, 'deactivate'), await turn(bob, id, 'reactivate'))).toEqual([403, 403]);
    expect(of(await turn(bob, hidden.id, 'deactivate'), await turn(alice, randomUUID(), 'deactivate'))).toEqual([
      404, 404,
    ]);
    expect(of(await turn(alice, 'no-id', 'reactivate'))).toEqual([404]);
    expect(of(await ask(kiln, 'POST', `/v2/images/${id}/actions/deactivate`))).toEqual([401]);
  });

  it('needs data, no body, and a word that is known', async () => {
    const { id } = await alice.create();

    expect(of(await turn(alice, id, 'deactivate'), await turn(alice, id, 'reactivate'))).toEqual([403, 403]);
    expect(of(await turn(alice, id, 'deactivate', {}))).toEqual([400]);
    expect(of(await alice.ask('POST', `/v2/images/${id}/actions/destroy`))).toEqual([404]);
    expect(of(await alice.ask('GET', `/v2/images/${id}/actions/deactivate`))).toEqual([405]);
  });
});

describe('the policy file', () => {
  it('takes rights away and gives them, but none to other projects', async () => {
    const { id } = await withData();
    const other = await startKiln({
      beside: kiln,
      env: {
        KILN_ROLE: 'api',
        KILN_POLICY_FILE: await policyFile({
          communitize_image: 'rule:context_is_admin',
          modify_image: '@',
          deactivate: 'rule:nobody',
          nobody: '!',
        }),
      },
    });

    try {
      const [al, bo, ri] = [alice, bob, rita].map(
        ({ token }) =>
          (method: string, path: string, body?: unknown) =>
            ask(other, method, path, { token, body }),
      ) as [typeof alice.ask, typeof bob.ask, typeof rita.ask];
      expect(of(await al('POST', '/v2/images', { visibility: 'community' }))).toEqual([403]);
      expect(of(await al('POST', `/v2/images/${id}/actions/deactivate`))).toEqual([403]);
      expect(of(await ri('PUT', `/v2/images/${id}/tags/mine`))).toEqual([204]);
      expect(of(await bo('PUT', `/v2/images/${id}/tags/theirs`))).toEqual([403]);
    } finally {
      await other.stop();
    }
  });

  it('stops the start when it cannot be used, with every problem', async () => {
    const KILN_POLICY_FILE = await policyFile({ get_imagez: '!', get_image: 'role:reader and' });

    const starting = startKiln({ beside: kiln, env: { KILN_ROLE: 'api', KILN_POLICY_FILE } });

    await expect(starting).rejects.toThrow(
      /get_image: at character 16: a check is missing[^]*get_imagez: there is no such rule/,
    );
  });
});

async function policyFile(rules: Record<string, string>): Promise<string> {
  const path = join(kiln.dataDir, `policy-${randomUUID()}.json`);
  await writeFile(path, JSON.stringify(rules));
  return path;
}
