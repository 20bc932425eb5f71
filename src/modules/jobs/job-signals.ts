import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Database } from '../../platform/database/database.js';
import { Log } from '../../platform/logging/log.js';

const CHANNEL = 'kiln_jobs_stop';

/**
 * Tells executions in any process at once that their job was ended by somebody else. Only a hint: an execution that
 * misses it finds out when it next asks the database.
 */
@Injectable()
export class JobSignals {
  private client: pg.Client | null = null;
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
    if (this.client) await this.drop(this.client);
  }

  private async connect(stopped: (jobId: string) => void): Promise<void> {
    // Not from the pool: a connection that listens for as long as the process lives would be missing there.
    const client = new pg.Client(this.database.pool.options);
    client.on('error', () => void this.drop(client));
    client.on('notification', ({ payload }) => stopped(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.client = client;
    } catch (error) {
      this.log.warn('executions hear of their end only when they ask', { error });
      await this.drop(client);
    }
  }

  private async drop(client: pg.Client): Promise<void> {
    if (this.client === client) this.client = null;
    await client.end().catch(() => undefined);
  }
}
