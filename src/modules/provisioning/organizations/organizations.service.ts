import { Injectable } from '@nestjs/common';
import { type Session, UsersService } from '../../identity/index.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowNotFoundError } from '../provisioning.errors.js';
import type { Organization, OrganizationField } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';
import { OrganizationsRepository } from './organizations.repository.js';

/** The projects in which a caller may act, by the numbers that provisioning tools know them by. */
@Injectable()
export class OrganizationsService {
  constructor(
    private readonly organizations: OrganizationsRepository,
    private readonly users: UsersService,
  ) {}

  async list(caller: Session, query: RowQuery<OrganizationField>): Promise<RowPage<Organization>> {
    return this.organizations.page(await this.visible(caller), query);
  }

  /** @throws RowNotFoundError unknown, disabled, or one in which the caller has no role */
  async get(caller: Session, key: RowKey): Promise<Organization> {
    const found = await this.organizations.find(await this.visible(caller), key);
    if (!found) throw new RowNotFoundError('organization', key.name);
    return found;
  }

  /** Null: all of them. What is bound to one project sees no other one. */
  private async visible(caller: Session): Promise<string[] | null> {
    const own = caller.scope.kind === 'project' ? [caller.scope.project.id] : [];
    if (caller.applicationCredential) return own;
    if (caller.actor.isAdmin) return null;
    const { items } = await this.users.ownProjects(caller);
    return [...new Set([...own, ...items.map(({ id }) => id)])];
  }
}
