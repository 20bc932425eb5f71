import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Database } from '../../platform/database/database.js';
import { knownSystem } from './known-systems.js';

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock gives. */
const GIVING_LOCK = 5_497_858;
const ARCHITECTURES = ['x86_64', 'aarch64'];

/**
 * Gives a deployment the rows with which the first image can be bound at once. Each is given once: what an administrator
 * renames or removes stays so, and what a newer configuration names is added.
 */
@Injectable()
export class GivenRowsService {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {}

  /** Repeatable; any number of processes may call it at once. */
  give(): Promise<void> {
    return this.database.transaction(async () => {
      await this.database.query('SELECT pg_advisory_xact_lock($1)', [GIVING_LOCK]);
      for (const name of ARCHITECTURES) await this.once('architecture', name, () => this.giveArchitecture(name));
      await this.once('location', 'first', () => this.giveLocation(this.config.region));
      for (const name of this.config.ims.distributions) {
        await this.once('operating_system', name, () => this.giveSystem(name));
      }
    });
  }

  private async once(noun: string, name: string, work: () => Promise<void>): Promise<void> {
    const isNew = await this.database.run(
      'INSERT INTO provisioning_gifts (noun, name) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [noun, name],
    );
    if (isNew > 0) await work();
  }

  private async giveArchitecture(name: string): Promise<void> {
    await this.database.run('INSERT INTO architectures (name) VALUES ($1) ON CONFLICT DO NOTHING', [name]);
  }

  private async giveLocation(name: string): Promise<void> {
    await this.database.run(
      `INSERT INTO locations (name) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM locations) ON CONFLICT DO NOTHING`,
      [name],
    );
  }

  private async giveSystem(distribution: string): Promise<void> {
    const { name, major, minor, family } = knownSystem(distribution);
    await this.database.run(
      `WITH made AS (
         INSERT INTO operating_systems (name, major, minor, family) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING id)
       INSERT INTO operating_system_architectures (operating_system_id, architecture_id)
       SELECT made.id, a.id FROM made CROSS JOIN architectures a WHERE a.name = ANY ($5::text[])`,
      [name, major, minor, family, ARCHITECTURES],
    );
  }
}
