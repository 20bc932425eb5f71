import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { LastAdministratorError } from './identity.errors.js';

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock may take somebody's administration away. */
const ADMINISTRATORS_LOCK = 5_497_857;

/** Sees to it that somebody can always administer the deployment. */
@Injectable()
export class Administrators {
  constructor(
    private readonly database: Database,
    private readonly uow: UnitOfWork,
  ) {}

  /**
   * Makes a change that may take rights away, in one transaction; one at a time, so that two administrators who remove
   * each other do not both succeed.
   *
   * @throws LastAdministratorError nobody enabled would be administrator in an enabled project; nothing was changed
   */
  keepOne<T>(change: () => Promise<T>): Promise<T> {
    return this.uow.run(async () => {
      await this.database.query('SELECT pg_advisory_xact_lock($1)', [ADMINISTRATORS_LOCK]);
      const result = await change();
      const left = await this.database.one(
        `SELECT 1 FROM role_assignments a JOIN users u ON u.id = a.user_id JOIN projects p ON p.id = a.project_id
         WHERE a.role = 'admin' AND u.enabled AND p.enabled LIMIT 1`,
      );
      if (!left) throw new LastAdministratorError();
      return result;
    });
  }
}
