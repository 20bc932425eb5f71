import { Injectable } from '@nestjs/common';
import { newHexId } from '../../common/ids.js';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Ledger } from './ledger.js';
import type { Limits } from './quantity.js';
import { ProjectInUseError, ProjectNameTakenError, ProjectNotFoundError } from './tenancy.errors.js';

/** A tenant. */
export interface Project {
  readonly id: string;
  readonly name: string;
  readonly domainId: string;
  readonly description: string;
  readonly enabled: boolean;
}

/** A project as it should be; `id` is chosen when absent, description and `enabled` stay as they are. */
export interface DeclareProject {
  readonly id?: string;
  readonly name: string;
  readonly description?: string;
  readonly enabled?: boolean;
  /** Absent: stay as they are. Given: exactly these are its own, the default holds for all others. */
  readonly limits?: Limits;
}

/** What an administrator says of a new project. */
export interface CreateProject {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
}

/** What may change of a project; absent: stays as it is. */
export type UpdateProject = Partial<CreateProject>;

export interface ProjectFilter {
  readonly ids?: readonly string[];
  readonly name?: string;
  readonly domainId?: string;
  readonly enabled?: boolean;
}

/** Where a list of projects is cut; whoever gets one more knows that there are more. */
export const PROJECT_LIST_MAXIMUM = 10_000;

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock takes projects over. */
const ENCOUNTER_LOCK = 5_497_856;

const COLUMNS = 'id, name, domain_id AS "domainId", description, enabled';

/** Projects and their limits. Who may call what is decided by the caller: identity's policy, or the bootstrap. */
@Injectable()
export class ProjectsService {
  constructor(
    private readonly database: Database,
    private readonly ledger: Ledger,
    private readonly outbox: Outbox,
  ) {}

  /** Null when there is none. */
  find(id: string): Promise<Project | null> {
    return this.database.one<Project>(`SELECT ${COLUMNS} FROM projects WHERE id = $1`, [id], 'projects-find');
  }

  /** @throws ProjectNotFoundError */
  async get(id: string): Promise<Project> {
    const project = await this.find(id);
    if (!project) throw new ProjectNotFoundError(id);
    return project;
  }

  /** Exact, in one domain; null when there is none. */
  findByName(name: string, domainId = 'default'): Promise<Project | null> {
    return this.database.one<Project>(`SELECT ${COLUMNS} FROM projects WHERE name = $1 AND domain_id = $2`, [
      name,
      domainId,
    ]);
  }

  /** Projects that match every given condition, by domain and name; at most `PROJECT_LIST_MAXIMUM` and one more. */
  list(filter: ProjectFilter): Promise<Project[]> {
    return this.database.query<Project>(
      `SELECT ${COLUMNS} FROM projects
       WHERE ($1::text[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR name = $2)
         AND ($3::text IS NULL OR domain_id = $3) AND ($4::boolean IS NULL OR enabled = $4)
       ORDER BY domain_id, name LIMIT ${PROJECT_LIST_MAXIMUM + 1}`,
      [filter.ids ?? null, filter.name ?? null, filter.domainId ?? null, filter.enabled ?? null],
    );
  }

  /**
   * Makes a project exist as declared, however often it is called: found by id, else by name.
   * @throws ProjectNameTakenError another project (with another id) has the name
   */
  async declare(wanted: DeclareProject): Promise<Project> {
    return this.database.transaction(async () => {
      const found = wanted.id ? await this.find(wanted.id) : await this.findByName(wanted.name);
      const project: Project = {
        id: found?.id ?? wanted.id ?? newHexId(),
        name: wanted.name,
        domainId: found?.domainId ?? 'default',
        description: wanted.description ?? found?.description ?? '',
        enabled: wanted.enabled ?? found?.enabled ?? true,
      };
      const changed = !found || differ(project, found);
      if (changed) await this.write(project);
      const limits = wanted.limits ?? (found ? undefined : {});
      const limitsChanged = limits !== undefined && (await this.ledger.setLimits(project.id, limits));
      if (!found) await this.record('project.created', project, null, { limits });
      else if (changed || limitsChanged) await this.record('project.updated', project, null, { limits });
      return project;
    });
  }

  /** Makes a project with the default limits. @throws ProjectNameTakenError */
  create(actorId: string, wanted: CreateProject): Promise<Project> {
    return this.database.transaction(async () => {
      const project: Project = { id: newHexId(), domainId: 'default', ...wanted };
      await this.write(project);
      await this.ledger.setLimits(project.id, {});
      await this.record('project.created', project, actorId);
      return project;
    });
  }

  /** @throws ProjectNotFoundError, ProjectNameTakenError */
  update(actorId: string, id: string, wanted: UpdateProject): Promise<Project> {
    return this.database.transaction(async () => {
      const found = await this.getForUpdate(id);
      const project: Project = {
        ...found,
        name: wanted.name ?? found.name,
        description: wanted.description ?? found.description,
        enabled: wanted.enabled ?? found.enabled,
      };
      if (!differ(project, found)) return found;
      await this.write(project);
      await this.record('project.updated', project, actorId);
      return project;
    });
  }

  /**
   * Removes a project that has nothing more; its roles, tokens and credentials go with it. Deleted images, recipes and
   * keys stay until their retention ends, and can be restored in a project that is declared with the same id.
   *
   * @throws ProjectNotFoundError
   * @throws ProjectInUseError the ledger counts something
   */
  remove(actorId: string, id: string): Promise<Project> {
    return this.database.transaction(async () => {
      const project = await this.getForUpdate(id);
      const inUse = await this.ledger.inUse(id);
      if (inUse.length > 0) throw new ProjectInUseError(project.name, inUse);
      await this.database.run('DELETE FROM projects WHERE id = $1', [id]);
      await this.record('project.deleted', project, actorId);
      return project;
    });
  }

  /**
   * Makes known a project that another identity service vouches for. Its names are the truth: a project that had the
   * name before has lost it there, and is called by its id until it is heard of again.
   */
  async encounter(seen: { readonly id: string; readonly name: string; readonly domainId: string }): Promise<Project> {
    const known = await this.find(seen.id);
    if (known?.name === seen.name && known.domainId === seen.domainId) return known;
    return this.database.transaction(async () => {
      // Two tokens of one new project may come at once.
      await this.database.query('SELECT pg_advisory_xact_lock($1)', [ENCOUNTER_LOCK]);
      const found = await this.find(seen.id);
      const project: Project = { description: '', enabled: true, ...found, ...seen };
      await this.database.run('UPDATE projects SET name = id WHERE domain_id = $1 AND name = $2 AND id <> $3', [
        seen.domainId,
        seen.name,
        seen.id,
      ]);
      await this.write(project);
      if (!found) await this.ledger.setLimits(project.id, {});
      await this.record(found ? 'project.updated' : 'project.created', project, null);
      return project;
    });
  }

  private async getForUpdate(id: string): Promise<Project> {
    const project = await this.database.one<Project>(`SELECT ${COLUMNS} FROM projects WHERE id = $1 FOR UPDATE`, [id]);
    if (!project) throw new ProjectNotFoundError(id);
    return project;
  }

  private async write(project: Project): Promise<void> {
    try {
      await this.database.run(
        `INSERT INTO projects (id, name, domain_id, description, enabled) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, domain_id = excluded.domain_id, description = excluded.description, enabled = excluded.enabled`,
        [project.id, project.name, project.domainId, project.description, project.enabled],
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new ProjectNameTakenError(project.name);
      throw error;
    }
  }

  private record(
    kind: string,
    project: Project,
    actorId: string | null,
    data: Record<string, unknown> = {},
  ): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'project',
      nounId: project.id,
      projectId: project.id,
      actorId,
      data: { name: project.name, enabled: project.enabled, ...data },
    });
  }
}

function differ(wanted: Project, found: Project): boolean {
  return (['name', 'description', 'enabled'] as const).some((field) => wanted[field] !== found[field]);
}
