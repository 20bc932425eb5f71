import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { Database } from '../../platform/database/database.js';
import { Log } from '../../platform/logging/log.js';

const CHANNEL = 'kiln_jobs_stop';

/**
 * Tells executions in any process at once that their job was ended by somebody else. Only a hint: an execution that
 * misses it finds out when it next asks the database.
 */
@Injectable()
export class JobSignals {
  private client: pg.PoolClient | null = null;
  private connecting: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly log: Log,
  ) {}

  /** Sent when the open transaction commits. */
  async stop(jobId: string): Promise<void> {
    await this.database.run(`SELECT pg_notify('${CHANNEL}', $1)`, [jobId]);
  }

  /** Calls back for every job that is stopped from now on; call it again (at any time) in case the connection was lost. */
  async listen(stopped: (jobId: string) => void): Promise<void> {
    if (this.client) return;
    this.connecting ??= this.connect(stopped).finally(() => (this.connecting = null));
    await this.connecting;
  }

  async close(): Promise<void> {
    await this.connecting;
    this.client?.release(true);
    this.client = null;
  }

  private async connect(stopped: (jobId: string) => void): Promise<void> {
    try {
      const client = await this.database.pool.connect();
      client.on('error', () => this.drop(client));
      client.on('notification', ({ payload }) => stopped(payload ?? ''));
      this.client = client;
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      this.log.warn('executions hear of their end only when they ask', { error });
      if (this.client) this.drop(this.client);
    }
  }

  private drop(client: pg.PoolClient): void {
    if (this.client !== client) return;
    this.client = null;
    client.release(true);
  }
}
