import { Injectable } from '@nestjs/common';
import { newHexId } from '../../common/ids.js';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Ledger } from './ledger.js';
import type { Limits } from './quantity.js';
import { ProjectNameTakenError, ProjectNotFoundError } from './tenancy.errors.js';

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
  /** Absent quantities become unlimited. */
  readonly limits?: Limits;
}

export interface ProjectFilter {
  readonly ids?: readonly string[];
  readonly name?: string;
  readonly domainId?: string;
  readonly enabled?: boolean;
}

/** Where a list of projects is cut; whoever gets one more knows that there are more. */
export const PROJECT_LIST_MAXIMUM = 10_000;

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
      const limitsChanged = await this.ledger.setLimits(project.id, wanted.limits ?? {});
      if (!found) await this.record('project.created', project, { limits: wanted.limits ?? {} });
      else if (changed || limitsChanged) await this.record('project.updated', project, { limits: wanted.limits ?? {} });
      return project;
    });
  }

  private async write(project: Project): Promise<void> {
    try {
      await this.database.run(
        `INSERT INTO projects (id, name, domain_id, description, enabled) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, description = excluded.description, enabled = excluded.enabled`,
        [project.id, project.name, project.domainId, project.description, project.enabled],
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new ProjectNameTakenError(project.name);
      throw error;
    }
  }

  private record(kind: string, project: Project, data: Record<string, unknown>): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'project',
      nounId: project.id,
      projectId: project.id,
      actorId: null,
      data: { name: project.name, enabled: project.enabled, ...data },
    });
  }
}

function differ(wanted: Project, found: Project): boolean {
  return (['name', 'description', 'enabled'] as const).some((field) => wanted[field] !== found[field]);
}
