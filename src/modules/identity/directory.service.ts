import { Injectable } from '@nestjs/common';
import { type Project, type ProjectFilter, ProjectNotFoundError, ProjectsService } from '../tenancy/index.js';
import { DEFAULT_DOMAIN, type Domain, findDomain } from './domains.js';
import { DomainNotFoundError, RoleNotFoundError } from './identity.errors.js';
import { IdentityPolicy } from './identity.policy.js';
import { findRoleById, findRoleByName, ROLE_RECORDS, type RoleRecord } from './roles.js';
import type { Session } from './tokens/session.js';
import { type BoundedList, bounded, UsersService } from './users/users.service.js';

/** Projects, domains and roles as the callers may see them. */
@Injectable()
export class DirectoryService {
  constructor(
    private readonly projects: ProjectsService,
    private readonly users: UsersService,
    private readonly policy: IdentityPolicy,
  ) {}

  /**
   * @throws NotPermittedError a project without a role of the caller, known or not: clients that look up a name take
   *   this for "use the name as an id"
   * @throws ProjectNotFoundError only administrators learn this
   */
  async project(caller: Session, id: string): Promise<Project> {
    if (!(await this.users.isIn(caller.user.id, id))) this.policy.administer(caller, 'identity:get_project');
    const project = await this.projects.find(id);
    if (!project) throw new ProjectNotFoundError(id);
    return project;
  }

  /** By name. @throws NotPermittedError the caller is no administrator */
  async listProjects(caller: Session, filter: ProjectFilter): Promise<BoundedList<Project>> {
    this.policy.administer(caller, 'identity:list_projects');
    return bounded(await this.projects.list(filter));
  }

  /**
   * @throws NotPermittedError one that the caller does not act in, and the caller is no administrator
   * @throws DomainNotFoundError
   */
  domain(caller: Session, id: string): Domain {
    this.policy.maySeeDomain(caller, id);
    const domain = findDomain({ id });
    if (!domain) throw new DomainNotFoundError(id);
    return domain;
  }

  /** @throws NotPermittedError the caller is no administrator */
  listDomains(caller: Session, name?: string): Domain[] {
    this.policy.administer(caller, 'identity:list_domains');
    return name === undefined || name === DEFAULT_DOMAIN.name ? [DEFAULT_DOMAIN] : [];
  }

  /** Domains that the caller may ask a token for. */
  async ownDomains(caller: Session): Promise<Domain[]> {
    return (await this.users.isAdmin(caller.user.id)) ? [DEFAULT_DOMAIN] : [];
  }

  /** Whether the caller may ask for a token of the whole system. */
  mayHaveSystem(caller: Session): Promise<boolean> {
    return this.users.isAdmin(caller.user.id);
  }

  /** @throws NotPermittedError the caller is no administrator @throws RoleNotFoundError */
  role(caller: Session, id: string): RoleRecord {
    this.policy.administer(caller, 'identity:get_role');
    const role = findRoleById(id);
    if (!role) throw new RoleNotFoundError(id);
    return role;
  }

  /** @throws NotPermittedError the caller is no administrator */
  listRoles(caller: Session, name?: string): readonly RoleRecord[] {
    this.policy.administer(caller, 'identity:list_roles');
    if (name === undefined) return ROLE_RECORDS;
    const role = findRoleByName(name);
    return role ? [role] : [];
  }
}
