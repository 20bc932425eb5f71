// Clients that cannot run here, played from transcripts of what they send.
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { readTranscript, Replay } from './transcript.js';

type Headers = readonly (readonly [string, string])[];

/** As the Python library `requests` writes them. */
const requests = (agent: string): Headers => [
  ['User-Agent', agent],
  ['Accept-Encoding', 'gzip, deflate'],
  ['Accept', '*/*'],
  ['Connection', 'keep-alive'],
];

/** Each works for a user of its own, so that none sees the others' records. */
const CLIENTS: readonly (readonly [string, { user: string; headers: Headers }])[] = [
  ['ims-python-helper', { user: 'alice', headers: requests('ims-python-helper/2.12.0') }],
  ['cray', { user: 'carol', headers: [...requests('python-requests/2.31.0'), ['Cray-Tenant-Name', 'gamma']] }],
  ['configuration-service', { user: 'bob', headers: requests('python-requests/2.31.0') }],
];

let kiln: RunningKiln;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api' },
    bootstrap: {
      projects: ['alpha', 'beta', 'gamma'].map((name) => ({ name })),
      users: [
        ['alice', ['alpha']],
        ['bob', ['beta']],
        ['carol', ['alpha', 'gamma']],
      ].map(([name, projects]) => ({
        name,
        password: `s3cret-${name as string}`,
        roles: (projects as string[]).map((project) => ({ project, role: 'member' })),
      })),
    },
  });
});
afterAll(() => kiln?.stop());

describe.each(CLIENTS)('%s', (name, { user, headers }) => {
  it('gets the answers that it relies on', async () => {
    const home = user === 'carol' ? 'gamma' : user === 'alice' ? 'alpha' : 'beta';
    const token = await kiln.token(user, home);
    // A tenant is chosen by header where there is one.
    const credential = user === 'carol' ? await kiln.token(user, 'alpha') : token;
    const replay = new Replay(kiln, [...headers, ['Authorization', `Bearer ${credential}`]], token);
    const text = readFileSync(join(import.meta.dirname, 'transcripts', `${name}.http`), 'utf8');

    for (const step of readTranscript(text)) await replay.play(step);
  });
});
