import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { Database } from '../../../src/platform/database/database.js';
import { DatabaseUnavailableError, isUniqueViolation } from '../../../src/platform/database/database.errors.js';
import { dataSourceOptions } from '../../../src/platform/database/data-source.js';
import { testDatabase } from '../../support/database.js';

describe('Database', () => {
  let address: Awaited<ReturnType<typeof testDatabase>>;
  let source: DataSource;
  let database: Database;

  beforeAll(async () => {
    address = await testDatabase();
    source = await new DataSource(dataSourceOptions(address.url, 6)).initialize();
    database = new Database(source);
    await database.run('CREATE TABLE things (id int PRIMARY KEY, amount int NOT NULL DEFAULT 0)');
  });

  afterAll(async () => {
    await source.destroy();
    await address.drop();
  });

  const count = async (): Promise<number> => (await database.one<{ n: number }>('SELECT count(*) AS n FROM things'))!.n;

  it('keeps nothing of a transaction that rejects', async () => {
    const before = await count();

    await expect(
      database.transaction(async () => {
        await database.run('INSERT INTO things (id) VALUES (100)');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');

    expect(await count()).toBe(before);
  });

  it('lets a nested call join, and runs what waits for the commit only after the outermost one', async () => {
    const order: string[] = [];

    await database.transaction(async () => {
      await database.transaction(async () => {
        await database.run('INSERT INTO things (id) VALUES (1)');
        await database.afterCommit(() => void order.push('after commit'));
      });
      order.push('inside');
    });

    expect(order).toEqual(['inside', 'after commit']);
  });

  it('does not run what waits for a commit that never comes', async () => {
    let ran = false;

    await database
      .transaction(async () => {
        await database.afterCommit(() => void (ran = true));
        throw new Error('no');
      })
      .catch(() => undefined);

    expect(ran).toBe(false);
  });

  it('runs a transaction again when PostgreSQL broke it off for a deadlock', async () => {
    await database.run('INSERT INTO things (id) VALUES (10), (11)');
    let tries = 0;
    let arrived = 0;
    let bothHoldOne!: () => void;
    const meeting = new Promise<void>((resolve) => (bothHoldOne = resolve));
    const lockInOrder = (first: number, second: number) =>
      database.transaction(async () => {
        tries += 1;
        await database.run('UPDATE things SET amount = amount + 1 WHERE id = $1', [first]);
        if ((arrived += 1) === 2) bothHoldOne();
        await meeting;
        await database.run('UPDATE things SET amount = amount + 1 WHERE id = $1', [second]);
      });

    await Promise.all([lockInOrder(10, 11), lockInOrder(11, 10)]);

    expect(tries).toBe(3);
    expect(await database.query('SELECT amount FROM things WHERE id IN (10, 11)')).toEqual([
      { amount: 2 },
      { amount: 2 },
    ]);
  });

  it('survives a connection that is cut in the middle of a transaction', async () => {
    const cut = database.transaction(async () => {
      const [own] = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await database.pool.query('SELECT pg_terminate_backend($1)', [own!.pid]);
      await database.query('SELECT 1');
    });

    await expect(cut).rejects.toBeInstanceOf(DatabaseUnavailableError);

    expect(await database.one('SELECT 1 AS n')).toEqual({ n: 1 });
  });

  it('takes a database that says nothing for away, and has another connection for what comes next', async () => {
    const { extra, ...options } = dataSourceOptions(address.url, 1) as { extra: object };
    const impatient = await new DataSource({
      ...options,
      extra: { ...extra, query_timeout: 4_000 },
    } as never).initialize();
    try {
      const hasty = new Database(impatient);
      const sent = statementsOf(hasty.pool);
      await expect(hasty.query('SELECT pg_sleep(30)')).rejects.toBeInstanceOf(DatabaseUnavailableError);
      expect(await hasty.one('SELECT 1 AS n')).toEqual({ n: 1 });

      sent.length = 0;
      await expect(hasty.transaction(() => hasty.query('SELECT pg_sleep(30)'))).rejects.toBeInstanceOf(
        DatabaseUnavailableError,
      );
      // No ROLLBACK: nothing is asked of a connection that did not answer.
      expect(sent).toEqual(['BEGIN', 'SELECT pg_sleep(30)']);
      expect(await hasty.one('SELECT 1 AS n')).toEqual({ n: 1 });
    } finally {
      await impatient.destroy();
    }
  });

  it('tells a unique violation by the name of its constraint', async () => {
    await database.run('INSERT INTO things (id) VALUES (50)');

    const error: unknown = await database.run('INSERT INTO things (id) VALUES (50)').catch((thrown: unknown) => thrown);

    expect(isUniqueViolation(error, 'things_pkey')).toBe(true);
    expect(isUniqueViolation(error, 'another')).toBe(false);
  });

  it('returns bigints as numbers and times to the millisecond as they were written', async () => {
    const at = new Date('2031-05-04T10:20:30.123Z');

    const row = await database.one('SELECT 9007199254740991::bigint AS n, $1::timestamptz(3) AS at', [at]);

    expect(row).toEqual({ n: Number.MAX_SAFE_INTEGER, at });
  });
});

/** Every statement that is sent from now on, over connections that the pool has yet to make. */
function statementsOf(pool: pg.Pool): string[] {
  const sent: string[] = [];
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...question: unknown[]) => unknown;
    client.query = ((...question: [string | { readonly text: string }, ...unknown[]]) => {
      sent.push(typeof question[0] === 'string' ? question[0] : question[0].text);
      return query(...question);
    }) as typeof client.query;
  });
  return sent;
}
