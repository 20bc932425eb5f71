import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { eventually } from '../../support/eventually.js';

const FORMATS = { diskFormat: 'raw', containerFormat: 'bare' };
const RECIPE = {
  name: 'r',
  recipeType: 'kiwi-ng',
  linuxDistribution: 'sles15',
  arch: 'x86_64',
  requireDkms: false,
  templateDictionary: [],
  link: null,
} as const;
const KEY = { name: 'k', publicKey: 'ssh-ed25519 AAAA' };

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

async function used(projectId: string): Promise<Record<string, number>> {
  const usage = await kiln.ledger.usage(projectId);
  return Object.fromEntries(usage.filter((one) => one.used > 0).map((one) => [one.quantity, one.used]));
}

/** Whether somebody waits for what another transaction holds. */
async function waiting(): Promise<boolean> {
  // On a connection of its own: a transaction sees this view as it was when it first looked.
  const { rowCount } = await kiln.database.pool.query(
    `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rowCount! > 0;
}

/** Does `first` in a transaction that commits only when `second`, begun after it, waits for it. */
async function meanwhile<T, U>(first: () => Promise<T>, second: () => Promise<U>) {
  let begun = (): void => undefined;
  const hasBegun = new Promise<void>((resolve) => (begun = resolve));
  const one = kiln.uow.run(async () => {
    const result = await first();
    begun();
    await eventually(async () => expect(await waiting()).toBe(true));
    return result;
  });
  await Promise.race([hasBegun, one]);
  return Promise.allSettled([one, second()]);
}

describe('the ledger', () => {
  it('lets things go that a wrong count knows nothing of', async () => {
    const actor = await kiln.actor();
    const key = await kiln.keys.create(actor, KEY);
    await kiln.database.run('UPDATE project_usage SET used = 0 WHERE project_id = $1', [actor.projectId]);

    await kiln.keys.delete(actor, key.id);

    expect(await used(actor.projectId!)).toEqual({});
  });
});

describe('a project that is being removed', () => {
  const makings: readonly [string, (actor: Actor) => Promise<unknown>][] = [
    ['image', (actor) => kiln.images.create(actor, FORMATS)],
    ['recipe', (actor) => kiln.recipes.create(actor, RECIPE)],
    ['key', (actor) => kiln.keys.create(actor, KEY)],
  ];

  it.each(makings)('stays when it gets one more %s meanwhile', async (_noun, make) => {
    const actor = await kiln.actor();

    const [made, removed] = await meanwhile(
      () => make(actor),
      () => kiln.projects.remove('root', actor.projectId!),
    );

    expect(made.status).toBe('fulfilled');
    expect(removed).toMatchObject({ status: 'rejected', reason: { kind: 'conflict' } });
  });
});
