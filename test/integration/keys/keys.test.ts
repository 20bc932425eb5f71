import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KeyQuery } from '../../../src/modules/keys/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { take } from '../../support/take.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

describe('keys', () => {
  it('are paged without losing or repeating what stays, while rows come and go', async () => {
    const actor = await kiln.actor();
    const ids: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      ids.push((await kiln.keys.create(actor, { name: `k${index % 5}`, publicKey: 'x' })).id);
    }
    const gone = new Set<string>();
    const seen: string[] = [];
    for (let marker: string | undefined; ;) {
      const sort = [{ key: 'name', direction: 'asc' }] as const;
      const query: KeyQuery = { projectId: actor.projectId, filter: {}, sort, marker };
      const page = await take(kiln.keys.stream(actor, query, 4), 4);
      seen.push(...page.map(({ id }) => id));
      if (page.length < 4) break;
      marker = page.at(-1)!.id;
      await kiln.keys.delete(actor, marker);
      gone.add(marker);
      await kiln.keys.create(actor, { name: 'k0', publicKey: 'x' });
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of ids) expect(seen).toContain(id);
    const left = [];
    for await (const { id } of kiln.keys.stream(actor, { projectId: actor.projectId, filter: {}, sort: [] }))
      left.push(id);
    expect(left).toEqual(expect.arrayContaining(ids.filter((id) => !gone.has(id))));
    for (const id of gone) expect(left).not.toContain(id);
  });

  it('keep to the limit of the project however many are made at once', async () => {
    const actor = await kiln.actor('member', { keys: 5 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, () => kiln.keys.create(actor, { name: 'k', publicKey: 'x' })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect((await kiln.ledger.find(actor.projectId!, 'keys'))!.used).toBe(5);
    await kiln.keys.deleteAll(actor);
    expect((await kiln.ledger.find(actor.projectId!, 'keys'))!.used).toBe(0);
  });

  it('are deleted once when many delete them, one and all', async () => {
    const actor = await kiln.actor();
    for (let index = 0; index < 20; index += 1) await kiln.keys.create(actor, { name: 'k', publicKey: 'x' });
    await Promise.all([kiln.keys.deleteAll(actor), kiln.keys.deleteAll(actor), kiln.keys.deleteAll(actor)]);
    expect((await kiln.ledger.find(actor.projectId!, 'keys'))!.used).toBe(0);
    const [row] = await kiln.database.query<{ count: number }>(
      `SELECT count(*) FROM keys WHERE project_id = $1 AND deleted_at IS NOT NULL`,
      [actor.projectId],
    );
    expect(row!.count).toBe(20);
  });
});
