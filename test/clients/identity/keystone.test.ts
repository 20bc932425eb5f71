import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { describeWith } from '../../support/programs.js';
import { type Keystone, KEYSTONE_PROGRAMS, startKeystone } from '../../support/keystone.js';

jest.setTimeout(180_000);

describeWith(KEYSTONE_PROGRAMS, 'a real Keystone', () => {
  let keystone: Keystone;

  beforeAll(async () => {
    keystone = await startKeystone({
      projects: ['alpha', 'service'],
      users: [
        { name: 'alice', roles: [{ project: 'alpha', role: 'member' }] },
        { name: 'kiln', roles: [{ project: 'service', role: 'service' }] },
      ],
    });
  });

  afterAll(() => keystone?.stop());

  it('makes tokens that it knows again after a restart', async () => {
    const token = await keystone.token('alice');

    await keystone.halt();
    await keystone.resume();

    const reply = await fetch(`${keystone.url}/auth/tokens`, {
      headers: { 'x-auth-token': await keystone.token('kiln'), 'x-subject-token': token },
    });
    expect(await reply.json()).toMatchObject({ token: { project: { id: keystone.projects.alpha } } });
  });
});
