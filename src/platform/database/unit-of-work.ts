import { Injectable } from '@nestjs/common';
import { Database } from './database.js';

/** Marks the boundary of a change; used by services only. */
@Injectable()
export class UnitOfWork {
  constructor(private readonly database: Database) {}

  /** @see Database.transaction */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** @see Database.afterCommit */
  afterCommit(work: () => void | Promise<void>): Promise<void> {
    return this.database.afterCommit(work);
  }
}
