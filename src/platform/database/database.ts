import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { DatabaseUnavailableError, isRetryable, isUnavailable } from './database.errors.js';

interface Transaction {
  readonly client: pg.PoolClient;
  readonly afterCommit: (() => void | Promise<void>)[];
}

const MAXIMUM_TRIES = 5;

/** SQL on the open transaction if there is one, else on the pool. Repositories use nothing else. */
@Injectable()
export class Database {
  private readonly transactions = new AsyncLocalStorage<Transaction>();

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs one statement and returns its rows.
   *
   * @param name makes it a named prepared statement, parsed and planned once per connection; for statements whose best
   *   plan does not depend on the values
   * @throws DatabaseUnavailableError no connection could be had
   * @throws pg.DatabaseError whatever PostgreSQL refused; see `isUniqueViolation`
   */
  async query<Row extends object>(text: string, values: readonly unknown[] = [], name?: string): Promise<Row[]> {
    return (await this.execute<Row>(text, values, name)).rows;
  }

  /** As `query`, for statements of which only the number of changed rows matters. */
  async run(text: string, values: readonly unknown[] = [], name?: string): Promise<number> {
    return (await this.execute(text, values, name)).rowCount ?? 0;
  }

  /** As `query`, for statements that return at most one row. */
  async one<Row extends object>(text: string, values: readonly unknown[] = [], name?: string): Promise<Row | null> {
    return (await this.query<Row>(text, values, name))[0] ?? null;
  }

  /** Whether the caller is inside a transaction. */
  get inTransaction(): boolean {
    return this.transactions.getStore() !== undefined;
  }

  /**
   * Runs `work` in one transaction; a nested call joins the open one. Rolled back when `work` rejects. Run again, up
   * to five times in all, when PostgreSQL broke it off because of another transaction (deadlock, serialization), so
   * `work` must have no effect outside of the database.
   */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    if (this.inTransaction) return work();
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.tryTransaction(work);
      } catch (error) {
        if (tries >= MAXIMUM_TRIES || !isRetryable(error)) throw error;
      }
    }
  }

  /** Runs `work` once the open transaction has committed; at once when there is none. Its failure is the caller's to log. */
  async afterCommit(work: () => void | Promise<void>): Promise<void> {
    const transaction = this.transactions.getStore();
    if (transaction) transaction.afterCommit.push(work);
    else await work();
  }

  /** The driver's pool, for listeners and bulk work that need a connection of their own. */
  get pool(): pg.Pool {
    return (this.dataSource.driver as unknown as { master: pg.Pool }).master;
  }

  private async tryTransaction<T>(work: () => Promise<T>): Promise<T> {
    const client = await this.translating(() => this.pool.connect());
    const afterCommit: Transaction['afterCommit'] = [];
    let result: T;
    let broken: Error | undefined;
    // A connection that breaks between two statements says so here as well; the next statement tells the caller.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    try {
      await this.translating(() => client.query('BEGIN'));
      try {
        result = await this.transactions.run({ client, afterCommit }, work);
        await this.translating(() => client.query('COMMIT'));
      } catch (error) {
        // What matters to the caller is why the work failed. A connection that cannot roll back is thrown away, as is one
        // on which a statement got no answer: another one would wait behind it.
        if (error instanceof DatabaseUnavailableError) broken = error;
        else await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
        throw error;
      }
    } finally {
      client.off('error', ignore);
      client.release(broken);
    }
    for (const task of afterCommit) await this.transactions.exit(task);
    return result;
  }

  private execute<Row extends object>(
    text: string,
    values: readonly unknown[],
    name: string | undefined,
  ): Promise<pg.QueryResult<Row>> {
    const target = this.transactions.getStore()?.client ?? this.pool;
    return this.translating(() => target.query<Row>({ text, values: values as unknown[], ...(name ? { name } : {}) }));
  }

  private async translating<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isUnavailable(error)) throw new DatabaseUnavailableError(error);
      throw error;
    }
  }
}
