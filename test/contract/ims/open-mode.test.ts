import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient } from './wire.js';

let kiln: RunningKiln;
let ims: ImsClient;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_IMS_OPEN_PROJECT: 'alpha', KILN_IMS_PREFIX: '/ims' } });
  ims = new ImsClient(kiln);
});
afterAll(() => kiln?.stop());

describe('a face that is open for a project', () => {
  it('lets clients without credentials act for it as a member', async () => {
    const created = await ims.post('/v3/public-keys', { name: 'open', public_key: 'x' });
    expect(created.status).toBe(201);
    const alice = await kiln.token('alice');
    expect((await ims.get('/v3/public-keys', alice)).body).toEqual([created.body]);
    expect((await ims.delete(`/v3/public-keys/${created.body.id}`)).status).toBe(204);
  });

  it('opens no other project, and grants no more than a member may', async () => {
    const bob = await kiln.token('bob');
    const ofBeta = await ims.post('/v3/public-keys', { name: 'of-beta', public_key: 'x' }, bob);
    expect((await ims.get(`/v3/public-keys/${ofBeta.body.id}`)).status).toBe(404);
    expect((await ims.get('/v3/public-keys?owner=all')).status).toBe(403);
    const asTenant = await ims.send('GET', '/v3/public-keys', undefined, undefined, { 'cray-tenant-name': 'beta' });
    expect(asTenant.status).toBe(403);
  });

  it('still refuses bad credentials, and leaves the other faces closed', async () => {
    const bad: Record<string, string>[] = [
      { 'x-auth-token': 'bad' },
      { authorization: 'Bearer bad' },
      { authorization: 'Basic YTpi' },
    ];
    for (const headers of bad) {
      expect((await ims.send('GET', '/v3/recipes', undefined, undefined, headers)).status).toBe(401);
    }
    expect((await fetch(`${kiln.url}/artifacts/ims/x`)).status).toBe(401);
  });
});

describe('a face that is open for a project that is not there', () => {
  it('is unavailable without credentials, tells which setting is wrong, and works with them', async () => {
    const astray = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api', KILN_IMS_OPEN_PROJECT: 'nobody' } });
    const at = new ImsClient(astray);

    const refused = await at.get('/v3/public-keys');
    const answered = await at.get('/v3/public-keys', await kiln.token('alice'));
    await astray.stop();

    expect(refused.status).toBe(503);
    expect(refused.body.detail).toContain('KILN_IMS_OPEN_PROJECT');
    expect(answered.status).toBe(200);
  });
});

describe('a face that is mounted at another path too', () => {
  it('answers there as at its own', async () => {
    const at = (path: string) => fetch(`${kiln.url}${path}`);
    for (const name of ['a', 'b']) {
      expect((await ims.post('/v3/public-keys', { name, public_key: 'x' })).status).toBe(201);
    }

    const whole = await at('/ims/public-keys');
    expect([whole.status, await whole.json()]).toEqual([200, (await ims.get('/public-keys')).body]);
    const page = await at('/ims/v3/public-keys?limit=1');
    expect(page.headers.get('link')).toMatch(/^<\/ims\/v3\/public-keys\?limit=1&marker=.+>; rel="next"$/);
    const missing = await at('/ims/v3/nothing');
    expect([missing.status, missing.headers.get('content-type')]).toEqual([
      404,
      expect.stringContaining('application/problem+json'),
    ]);
    expect((await at('/imse/v3/public-keys')).status).toBe(404);
  });
});
