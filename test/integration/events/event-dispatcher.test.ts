import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../../src/platform/database/data-source.js';
import { Database } from '../../../src/platform/database/database.js';
import { EventDispatcher } from '../../../src/platform/events/event-dispatcher.js';
import { Outbox } from '../../../src/platform/events/outbox.js';
import { Log } from '../../../src/platform/logging/log.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';

const log = new Log('fatal');
const AN_HOUR_MS = 3_600_000;

let testing: TestDatabase;
let dataSource: DataSource;
let database: Database;
let outbox: Outbox;
let dispatcher: EventDispatcher;

beforeAll(async () => {
  testing = await testDatabase();
  // A single connection: whoever keeps one for itself keeps everybody else from working.
  dataSource = await new DataSource(dataSourceOptions(testing.url, 1)).initialize();
  database = new Database(dataSource);
  outbox = new Outbox(database);
});
afterAll(async () => {
  await dataSource?.destroy();
  await testing?.drop();
});
beforeEach(() => {
  dispatcher = new EventDispatcher(database, log);
});
afterEach(async () => {
  await dispatcher.stop();
  await database.run('DELETE FROM events');
});

const record = (kind: string, nounId: string) =>
  outbox.record({ kind, noun: 'thing', nounId, projectId: null, actorId: null }, { dispatch: true });

/** How many connections listen for events at this moment. */
async function listeners(): Promise<number[]> {
  const rows = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`,
  );
  return rows.map(({ pid }) => pid);
}

describe('the dispatcher of events', () => {
  it('hands them out in the order in which they were written, once each', async () => {
    const seen: string[] = [];
    dispatcher.on('thing.made', ({ nounId }) => Promise.resolve(void seen.push(nounId)));
    const expected = Array.from({ length: 130 }, (_, index) => String(index));
    for (const nounId of expected) await record('thing.made', nounId);

    dispatcher.start();

    await eventually(() => expect(seen).toHaveLength(expected.length));
    expect(seen).toEqual(expected);
    // The last one is noted as handed out when its subscriber is done.
    await eventually(async () => expect(await database.query('SELECT id FROM events WHERE pending')).toEqual([]));
  });

  it('lets no event hold up the others, and tries it again later', async () => {
    const seen: string[] = [];
    let refusals = 1;
    dispatcher.on('thing.made', async ({ nounId }) => {
      if (nounId === 'bad' && refusals-- > 0) throw new Error('not now');
      seen.push(nounId);
      return Promise.resolve();
    });
    for (const nounId of ['before', 'bad', 'after']) await record('thing.made', nounId);

    dispatcher.start();

    await eventually(() => expect(seen).toEqual(['before', 'after', 'bad']));
  });

  it('goes on trying what has failed more often than a number of seconds can tell', async () => {
    dispatcher.on('thing.made', () => Promise.reject(new Error('never')));
    await record('thing.made', 'bad');
    await database.run('UPDATE events SET attempts = 100000');

    dispatcher.start();

    await eventually(async () => {
      const [row] = await database.query<{ pause: number }>(
        'SELECT extract(epoch FROM next_attempt_at - now())::float8 AS pause FROM events WHERE attempts = 100001',
      );
      expect(row?.pause).toBeGreaterThan(290);
    });
  });

  it('hears of events before it looks for them, also after its connection was lost', async () => {
    const seen: string[] = [];
    dispatcher = new EventDispatcher(database, log, AN_HOUR_MS);
    dispatcher.on('thing.made', ({ nounId }) => Promise.resolve(void seen.push(nounId)));
    dispatcher.start();
    await eventually(async () => expect(await listeners()).toHaveLength(1));
    const [lost] = await listeners();

    await database.query('SELECT pg_terminate_backend($1)', [lost]);
    await eventually(async () => {
      const now = await listeners();
      expect(now).toHaveLength(1);
      expect(now).not.toEqual([lost]);
    });
    await record('thing.made', 'heard');

    await eventually(() => expect(seen).toEqual(['heard']));
  });

  it('leaves no connection behind', async () => {
    dispatcher.start();
    await eventually(async () => expect(await listeners()).toHaveLength(1));
    await dispatcher.stop();
    await eventually(async () => expect(await listeners()).toHaveLength(0));
  });
});
