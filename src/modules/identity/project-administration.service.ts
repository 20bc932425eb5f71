import { Injectable } from '@nestjs/common';
import { type CreateProject, type Project, ProjectsService, type UpdateProject } from '../tenancy/index.js';
import { Administrators } from './administrators.js';
import { IdentityPolicy } from './identity.policy.js';
import type { Session } from './tokens/session.js';
import { TokensService } from './tokens/tokens.service.js';

/** What administrators do with projects. */
@Injectable()
export class ProjectAdministrationService {
  constructor(
    private readonly projects: ProjectsService,
    private readonly tokens: TokensService,
    private readonly administrators: Administrators,
    private readonly policy: IdentityPolicy,
  ) {}

  /** @throws NotPermittedError the caller is no administrator @throws ProjectNameTakenError */
  async create(caller: Session, wanted: CreateProject): Promise<Project> {
    this.policy.administer(caller, 'identity:create_project');
    return this.projects.create(caller.user.id, wanted);
  }

  /**
   * Changes a project. While it is disabled its tokens are worth nothing.
   *
   * @throws NotPermittedError the caller is no administrator
   * @throws ProjectNotFoundError, ProjectNameTakenError, LastAdministratorError
   */
  async update(caller: Session, id: string, wanted: UpdateProject): Promise<Project> {
    this.policy.administer(caller, 'identity:update_project');
    return this.ending(() => this.projects.update(caller.user.id, id, wanted));
  }

  /**
   * Removes a project that has nothing left, with the roles, tokens and credentials in it.
   *
   * @throws NotPermittedError the caller is no administrator
   * @throws ProjectNotFoundError, ProjectInUseError, LastAdministratorError
   */
  async remove(caller: Session, id: string): Promise<void> {
    this.policy.administer(caller, 'identity:delete_project');
    await this.ending(() => this.projects.remove(caller.user.id, id));
  }

  private ending<T>(change: () => Promise<T>): Promise<T> {
    return this.administrators.keepOne(async () => {
      const result = await change();
      await this.tokens.forgetAll();
      return result;
    });
  }
}
