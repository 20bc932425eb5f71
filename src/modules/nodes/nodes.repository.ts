import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { KeysetReader } from '../../platform/database/keyset-reader.js';
import type { RemoteNode } from './remote-node.entity.js';

const COLUMNS = `project_id AS "projectId", xname, created_at AS "createdAt"`;

/** Every statement on `remote_nodes`. */
@Injectable()
export class NodesRepository {
  private readonly reader: KeysetReader<RemoteNode, never>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader(database, {
      table: 'remote_nodes',
      columns: COLUMNS,
      sort: {
        created: { sql: 'created_at', value: (node) => node.createdAt },
        id: { sql: 'xname', value: (node) => node.xname },
      },
    });
  }

  /** Null if it is there already. */
  insert(projectId: string, xname: string): Promise<RemoteNode | null> {
    return this.database.one(
      `INSERT INTO remote_nodes (project_id, xname) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
      [projectId, xname],
    );
  }

  find(projectId: string, xname: string): Promise<RemoteNode | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM remote_nodes WHERE project_id = $1 AND xname = $2`, [
      projectId,
      xname,
    ]);
  }

  /** Oldest first, read as they are consumed. */
  stream(projectId: string): AsyncGenerator<RemoteNode> {
    return this.reader.stream((bindings) => [`project_id = ${bindings.add(projectId)}`], [], null);
  }

  /** Whether it was there. */
  async delete(projectId: string, xname: string): Promise<boolean> {
    const deleted = await this.database.run('DELETE FROM remote_nodes WHERE project_id = $1 AND xname = $2', [
      projectId,
      xname,
    ]);
    return deleted > 0;
  }
}
