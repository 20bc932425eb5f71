import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { isInLocation } from './in-location.js';
import type { Within } from './provisioning.types.js';

/** What a record refers to, for short lists of those that do. */
export type Mentioned = 'compute_resource_id' | 'operating_system_id' | 'architecture_id';

/** A row as others mention it. */
export interface Mention {
  readonly id: number;
  readonly name: string;
}

/** A detailed record mentions so many others at most; lists have the rest. */
export const MENTIONS_MAXIMUM = 1_000;
const NAMED_MAXIMUM = 5;

/** Which provisioning images refer to something. */
@Injectable()
export class ImageMentionsRepository {
  constructor(private readonly database: Database) {}

  /** Those of one project, or of a part of it, by id. */
  of(column: Mentioned, id: number, projectId: string | null, { locationId }: Within): Promise<Mention[]> {
    return this.database.query<Mention>(
      `SELECT i.id, i.name FROM provisioning_images i WHERE i.${column} = $1 AND i.project_id = $2
         AND ($3::integer IS NULL OR ${isInLocation('i.compute_resource_id', '$3')}) ORDER BY i.id LIMIT $4`,
      [id, projectId, locationId, MENTIONS_MAXIMUM],
    );
  }

  /** Names of a few, whoever has them: for those who would remove what they refer to. */
  async names(column: Mentioned, id: number): Promise<string[]> {
    const rows = await this.database.query<{ name: string }>(
      `SELECT name FROM provisioning_images WHERE ${column} = $1 ORDER BY id LIMIT $2`,
      [id, NAMED_MAXIMUM],
    );
    return rows.map(({ name }) => name);
  }
}
