import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isMissingReference, isUniqueViolation } from '../../../platform/database/database.errors.js';
import { ProjectNotFoundError, type Role } from '../../tenancy/index.js';
import { UserNotFoundError, UserTakenError } from '../identity.errors.js';

/** Somebody (or some program) that signs in. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly domainId: string;
  readonly enabled: boolean;
  readonly defaultProjectId: string | null;
  readonly email: string | null;
  readonly description: string | null;
}

/** A user with what only identity itself may see. */
export interface UserWithPassword extends User {
  readonly passwordHash: string | null;
}

export interface UserFilter {
  readonly name?: string;
  readonly domainId?: string;
  readonly enabled?: boolean;
}

/** A role that a user has in a project, with the names of both. */
export interface RoleAssignment {
  readonly role: Role;
  readonly userId: string;
  readonly userName: string;
  readonly projectId: string;
  readonly projectName: string;
}

export interface RoleAssignmentFilter {
  readonly userId?: string;
  readonly projectId?: string;
  readonly role?: Role;
}

const COLUMNS = `id, name, domain_id AS "domainId", enabled, default_project_id AS "defaultProjectId", email, description`;

@Injectable()
export class UsersRepository {
  constructor(private readonly database: Database) {}

  find(id: string): Promise<UserWithPassword | null> {
    return this.database.one<UserWithPassword>(
      `SELECT ${COLUMNS}, password_hash AS "passwordHash" FROM users WHERE id = $1`,
      [id],
      'users-find',
    );
  }

  findForUpdate(id: string): Promise<UserWithPassword | null> {
    return this.database.one<UserWithPassword>(
      `SELECT ${COLUMNS}, password_hash AS "passwordHash" FROM users WHERE id = $1 FOR UPDATE`,
      [id],
    );
  }

  /** Nobody changes or removes the user until the open transaction ends. */
  findForShare(id: string): Promise<UserWithPassword | null> {
    return this.database.one<UserWithPassword>(
      `SELECT ${COLUMNS}, password_hash AS "passwordHash" FROM users WHERE id = $1 FOR SHARE`,
      [id],
      'users-find-for-share',
    );
  }

  findByName(name: string, domainId: string): Promise<UserWithPassword | null> {
    return this.database.one<UserWithPassword>(
      `SELECT ${COLUMNS}, password_hash AS "passwordHash" FROM users WHERE domain_id = $1 AND name = $2`,
      [domainId, name],
      'users-find-by-name',
    );
  }

  /** By domain and name, at most `limit`. */
  list(filter: UserFilter, limit: number): Promise<User[]> {
    return this.database.query<User>(
      `SELECT ${COLUMNS} FROM users
       WHERE ($1::text IS NULL OR domain_id = $1) AND ($2::text IS NULL OR name = $2)
         AND ($3::boolean IS NULL OR enabled = $3)
       ORDER BY domain_id, name LIMIT $4`,
      [filter.domainId ?? null, filter.name ?? null, filter.enabled ?? null, limit],
    );
  }

  async any(): Promise<boolean> {
    return (await this.database.one('SELECT 1 FROM users LIMIT 1')) !== null;
  }

  /** @throws UserTakenError another user has the name */
  async upsert(user: User): Promise<void> {
    try {
      await this.database.run(
        `INSERT INTO users (id, name, domain_id, enabled, default_project_id, email, description)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
           default_project_id = excluded.default_project_id, email = excluded.email, description = excluded.description`,
        [user.id, user.name, user.domainId, user.enabled, user.defaultProjectId, user.email, user.description],
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new UserTakenError(user.name);
      if (isMissingReference(error)) throw new ProjectNotFoundError(user.defaultProjectId!);
      throw error;
    }
  }

  async setPasswordHash(userId: string, passwordHash: string): Promise<void> {
    await this.database.run('UPDATE users SET password_hash = $2 WHERE id = $1', [userId, passwordHash]);
  }

  /** Roles, tokens and credentials go with it. */
  async remove(id: string): Promise<void> {
    await this.database.run('DELETE FROM users WHERE id = $1', [id]);
  }

  /** False when the user had it. @throws UserNotFoundError, ProjectNotFoundError they went away meanwhile */
  async addRole(userId: string, projectId: string, role: Role): Promise<boolean> {
    try {
      const added = await this.database.run(
        'INSERT INTO role_assignments (user_id, project_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [userId, projectId, role],
      );
      return added > 0;
    } catch (error) {
      if (isMissingReference(error, 'role_assignments_user_id_fkey')) throw new UserNotFoundError(userId);
      if (isMissingReference(error)) throw new ProjectNotFoundError(projectId);
      throw error;
    }
  }

  /** False when the user did not have it. */
  async removeRole(userId: string, projectId: string, role: Role): Promise<boolean> {
    const removed = await this.database.run(
      'DELETE FROM role_assignments WHERE user_id = $1 AND project_id = $2 AND role = $3',
      [userId, projectId, role],
    );
    return removed > 0;
  }

  /** The user's own roles in one project; implied ones are not stored. */
  async roles(userId: string, projectId: string): Promise<Role[]> {
    const rows = await this.database.query<{ role: Role }>(
      'SELECT role FROM role_assignments WHERE user_id = $1 AND project_id = $2',
      [userId, projectId],
      'role-assignments-roles',
    );
    return rows.map(({ role }) => role);
  }

  async isAdminAnywhere(userId: string): Promise<boolean> {
    const row = await this.database.one(
      `SELECT 1 FROM role_assignments WHERE user_id = $1 AND role = 'admin' LIMIT 1`,
      [userId],
    );
    return row !== null;
  }

  /** Ids of the projects in which the user has any role, at most `limit`. */
  async projectIds(userId: string, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT DISTINCT project_id AS id FROM role_assignments WHERE user_id = $1 ORDER BY project_id LIMIT $2`,
      [userId, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** By user, project and role, at most `limit`. */
  assignments(filter: RoleAssignmentFilter, limit: number): Promise<RoleAssignment[]> {
    return this.database.query<RoleAssignment>(
      `SELECT a.role, a.user_id AS "userId", u.name AS "userName", a.project_id AS "projectId", p.name AS "projectName"
       FROM role_assignments a JOIN users u ON u.id = a.user_id JOIN projects p ON p.id = a.project_id
       WHERE ($1::text IS NULL OR a.user_id = $1) AND ($2::text IS NULL OR a.project_id = $2)
         AND ($3::text IS NULL OR a.role = $3)
       ORDER BY a.user_id, a.project_id, a.role LIMIT $4`,
      [filter.userId ?? null, filter.projectId ?? null, filter.role ?? null, limit],
    );
  }

  /** Makes the user's roles exactly these; returns whether anything changed. */
  async setRoles(userId: string, wanted: readonly { projectId: string; role: Role }[]): Promise<boolean> {
    const values = [userId, wanted.map(({ projectId }) => projectId), wanted.map(({ role }) => role)];
    const removed = await this.database.run(
      `DELETE FROM role_assignments WHERE user_id = $1
         AND (project_id, role) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
      values,
    );
    const added = await this.database.run(
      `INSERT INTO role_assignments (user_id, project_id, role)
       SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING`,
      values,
    );
    return removed + added > 0;
  }
}
