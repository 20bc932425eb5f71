// Glance itself is asked what is right: see docs/faces/glance.md, "Compared with Glance".
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GLANCE_PROGRAMS, type Glance, startGlance } from '../../support/servers/glance.js';
import { KEYSTONE_PROGRAMS, type Keystone, startKeystone } from '../../support/servers/keystone.js';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { KNOWN_DIFFERENCES } from './known-differences.js';
import { type Difference, Lockstep } from './lockstep.js';
import { Story } from './story.js';
import { type Actor, ask, type Question, type Side } from './wire.js';

const REQUESTS = Number(process.env.KILN_TEST_COMPARE_REQUESTS ?? 150);
const SEED = Number(process.env.KILN_TEST_COMPARE_SEED ?? 1);
const STORES = ['fast', 'archive'];
const PATIENCE_MS = 60_000 + REQUESTS * 6_000;
const EXAMPLES = 3;
const LAST_WORDS = 3_000;

describeWith([...KEYSTONE_PROGRAMS, ...GLANCE_PROGRAMS], 'Kiln beside Glance', () => {
  let folder: string;
  let web: Server;
  let keystone: Keystone;
  let glance: Glance;
  let kiln: RunningKiln;
  let lockstep: Lockstep;
  let story: Story;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-compare-'));
    web = createServer((request, response) => {
      const found = request.url === '/image';
      const body = found ? 'x'.repeat(2_000) : 'missing';
      response.writeHead(found ? 200 : 404, { 'content-length': body.length }).end(body);
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as AddressInfo;
    keystone = await startKeystone({ projects: ['alpha', 'beta'], users: STANDARD_BOOTSTRAP.users });
    const { alpha, beta } = keystone.projects as Record<'alpha' | 'beta', string>;
    glance = await startGlance({ keystone, stores: STORES, downloadPorts: [port] });
    kiln = await startKiln({
      bootstrap: {
        ...STANDARD_BOOTSTRAP,
        projects: [
          { name: 'alpha', id: alpha },
          { name: 'beta', id: beta },
        ],
      },
      env: {
        KILN_STORES: JSON.stringify(STORES.map((id) => ({ id, type: 'file', path: join(folder, id) }))),
        KILN_EGRESS_ALLOW: `127.0.0.1:${port}`,
        // 25.1 looks at no data.
        KILN_IMAGE_FORMAT_CHECK: 'off',
      },
    });
    const side = async (url: string, token: (user: string) => Promise<string>): Promise<Side> => ({
      url,
      tokens: {
        root: await token('root'),
        alice: await token('alice'),
        bob: await token('bob'),
        rita: await token('rita'),
        nobody: undefined,
        stale: 'gAAAAAB-no-longer',
      } satisfies Record<Actor, string | undefined>,
    });
    lockstep = new Lockstep(
      await side(glance.url, (user) => keystone.token(user)),
      await side(`${kiln.url}/image`, (user) => kiln.token(user)),
    );
    await warmUp();
    story = new Story(SEED, { alpha, beta, stores: STORES, web: `http://127.0.0.1:${port}/` });
    // On a busy machine it takes minutes until all three are up.
  }, 600_000);

  afterAll(async () => {
    await Promise.all([kiln?.stop(), glance?.stop()]);
    await keystone?.stop();
    web?.closeAllConnections();
    web?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    `answers ${REQUESTS} requests of seed ${SEED} as Glance does, but for the known differences`,
    async () => {
      const table = new Table();
      for (let number = 1; number <= REQUESTS; number += 1) {
        const question = story.next();
        const { reference, kiln: answer, differences } = await lockstep.ask(question);
        story.hear(question, reference);
        const isNew = table.count(number, question.operation, differences);
        // Whether a fault of its own is one can only be told from why it had it.
        if (isNew && reference.status >= 500) {
          process.stdout.write(`${number}. Glance's log ends:\n${glance.output().slice(-LAST_WORDS)}\n`);
        }
        if (isNew && answer.status >= 500) {
          process.stdout.write(`${number}. Kiln's log ends:\n${kiln.output().slice(-LAST_WORDS)}\n`);
        }
        if (question.imports !== undefined && reference.status === 202 && answer.status === 202) {
          await lockstep.settle(question.imports);
          const after = await lockstep.ask(shown('see what an import came to', question.imports));
          table.count(number, 'see what an import came to', after.differences);
          // The next requests would only tell the same again.
          if (after.differences.length > 0) await removeFromBoth(question.imports);
        }
        const refused = /^\/v2\/images\/([0-9a-f-]{36})\/(?:file|stage)$/.exec(question.path)?.[1];
        if (refused !== undefined && question.method === 'PUT' && reference.status >= 400 && answer.status >= 400) {
          const after = await lockstep.ask(shown('see what a refusal left', refused));
          table.count(number, 'see what a refusal left', after.differences);
          if (after.differences.length > 0) await removeFromBoth(refused);
        }
        // One took it and the other did not: they would disagree about that image for ever.
        const image = /^\/v2\/(?:images|stores\/[^/]+)\/([0-9a-f-]{36})/i.exec(question.path)?.[1]?.toLowerCase();
        const changed = question.method !== 'GET' && reference.status < 300 !== answer.status < 300;
        if (changed) await removeFromBoth(image ?? String(question.body).match(/"id":"([0-9a-f-]{36})"/)?.[1]);
      }

      process.stdout.write(`${table.text()}\n`);
      expect(table.unknown()).toEqual([]);
    },
    PATIENCE_MS,
  );

  /** Glance knows its rules on addresses only once it has imported something else: until then such an import is 500. */
  async function warmUp(): Promise<void> {
    const id = '00000000-0000-4000-a000-000000000000';
    const send = (operation: string, method: string, path: string, body?: object | Buffer) =>
      lockstep.ask({
        operation,
        actor: 'root',
        method,
        path: `/v2/images${path}`,
        headers: { 'content-type': 'application/octet-stream' },
        body: body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
      });
    await send('create an image', 'POST', '', { id, disk_format: 'raw', container_format: 'bare' });
    await send('stage data', 'PUT', `/${id}/stage`, Buffer.from('x'));
    await send('import', 'POST', `/${id}/import`, { method: { name: 'glance-direct' } });
    await lockstep.settle(id);
    await send('list tasks of an image', 'GET', `/${id}/tasks`);
    await removeFromBoth(id);
  }

  async function removeFromBoth(id: string | undefined): Promise<void> {
    if (id === undefined) return;
    const change = [{ op: 'replace', path: '/protected', value: false }];
    const question = { operation: 'remove', actor: 'root', path: `/v2/images/${id}` } as const;
    for (const side of [lockstep.reference, lockstep.kiln]) {
      const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
      await ask(side, { ...question, method: 'PATCH', headers, body: Buffer.from(JSON.stringify(change)) });
      await ask(side, { ...question, method: 'DELETE', headers: {} });
    }
    story?.forget(id);
  }
});

const shown = (operation: string, id: string): Question => ({
  operation,
  actor: 'root',
  method: 'GET',
  path: `/v2/images/${id}`,
  headers: { accept: '*/*' },
});

/** What came of it, by operation. */
class Table {
  private readonly rows = new Map<string, { asked: number; known: number; unknown: number }>();
  private readonly reasons = new Map<string, number>();
  private readonly found = new Map<string, { times: number; examples: string[] }>();

  /** Whether there was something new. */
  count(number: number, operation: string, differences: readonly Difference[]): boolean {
    const row = this.rows.get(operation) ?? { asked: 0, known: 0, unknown: 0 };
    this.rows.set(operation, row);
    row.asked += 1;
    const unknown = differences.filter((one) => !this.isKnown(one));
    if (unknown.length > 0) row.unknown += 1;
    else if (differences.length > 0) row.known += 1;
    for (const { question, at, reference, kiln, referenceStatus } of unknown) {
      const kind =
        at === 'status'
          ? `${operation}: status ${String(reference)}, Kiln ${String(kiln)}`
          : `${operation} (${referenceStatus}): ${at}`;
      const entry = this.found.get(kind) ?? { times: 0, examples: [] };
      this.found.set(kind, entry);
      entry.times += 1;
      if (entry.examples.length === EXAMPLES) continue;
      const values = at === 'status' ? '' : `\n        Glance ${short(reference)}\n        Kiln   ${short(kiln)}`;
      const { actor, method, path, headers, body } = question;
      const sent = [JSON.stringify(headers), body && short(body.toString('latin1'))].filter(Boolean).join(' ');
      entry.examples.push(`    ${number}. ${actor} ${method} ${path} ${sent}${values}`);
    }
    return unknown.length > 0;
  }

  private isKnown(difference: Difference): boolean {
    // No decision of anybody's.
    if (difference.kilnStatus >= 500) return false;
    const known = KNOWN_DIFFERENCES.find(({ applies }) => applies(difference));
    if (known) this.reasons.set(known.reason, (this.reasons.get(known.reason) ?? 0) + 1);
    return known !== undefined;
  }

  unknown(): string[] {
    return [...this.found].map(([kind, { times }]) => `${kind} (${times} times)`).sort();
  }

  text(): string {
    const line = (name: string, ...cells: (string | number)[]) =>
      name.padEnd(34) + cells.map((cell) => String(cell).padStart(9)).join('');
    const rows = [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1));
    const sum = (of: 'asked' | 'known' | 'unknown') => rows.reduce((total, [, row]) => total + row[of], 0);
    return [
      ...[...this.found]
        .sort()
        .map(([kind, { times, examples }]) => `${kind} (${times} times)\n${examples.join('\n')}`),
      '',
      ...[...this.reasons].sort().map(([reason, times]) => `${String(times).padStart(5)}  ${reason}`),
      '',
      line('operation', 'asked', 'known', 'new'),
      ...rows.map(([name, { asked, known, unknown }]) => line(name, asked, known, unknown)),
      line('all', sum('asked'), sum('known'), sum('unknown')),
    ].join('\n');
  }
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
