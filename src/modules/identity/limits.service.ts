import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import {
  Ledger,
  type Limits,
  type OwnLimit,
  type OwnLimitFilter,
  ProjectNotFoundError,
  type Quantity,
} from '../tenancy/index.js';
import { DefaultLimitTakenError, LimitNotFoundError, LimitTakenError } from './identity.errors.js';
import { IdentityPolicy } from './identity.policy.js';
import type { Session } from './tokens/session.js';
import { type BoundedList, bounded, LIST_MAXIMUM } from './users/users.service.js';

/** What administrators set of the limits of projects, and what of them holds by default. */
@Injectable()
export class LimitsService {
  constructor(
    private readonly ledger: Ledger,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /** What holds for projects without limits of their own; absent: unlimited. Everybody may know. */
  defaults(): Promise<Limits> {
    return this.ledger.defaultLimits();
  }

  /**
   * Sets defaults where there are none, all or none.
   * @throws NotPermittedError the caller is no administrator @throws DefaultLimitTakenError
   */
  async createDefaults(
    caller: Session,
    wanted: readonly { readonly quantity: Quantity; readonly maximum: number | null }[],
  ): Promise<void> {
    this.policy.administer(caller, 'identity:create_registered_limits');
    await this.uow.run(async () => {
      for (const { quantity, maximum } of wanted) await this.writeDefault(caller, quantity, maximum, true);
    });
  }

  /**
   * Sets a default, null for unlimited; it holds at once for every project without a limit of its own.
   * @throws NotPermittedError the caller is no administrator
   */
  async setDefault(caller: Session, quantity: Quantity, maximum: number | null): Promise<void> {
    this.policy.administer(caller, 'identity:update_registered_limit');
    await this.uow.run(() => this.writeDefault(caller, quantity, maximum));
  }

  /**
   * Limits that were set for single projects; whoever is no administrator sees those of its own project only.
   * At most `LIST_MAXIMUM`.
   */
  async list(caller: Session, filter: OwnLimitFilter): Promise<BoundedList<OwnLimit>> {
    const own = caller.actor.projectId;
    if (!caller.actor.isAdmin && (own === null || (filter.projectId ?? own) !== own)) {
      return { items: [], truncated: false };
    }
    const seen = caller.actor.isAdmin ? filter : { ...filter, projectId: own! };
    return bounded(await this.ledger.ownLimits(seen, LIST_MAXIMUM + 1));
  }

  /**
   * @throws NotPermittedError of another project, and the caller is no administrator
   * @throws LimitNotFoundError the project has no such limit of its own
   */
  async get(caller: Session, projectId: string, quantity: Quantity): Promise<OwnLimit> {
    this.policy.maySeeLimits(caller, projectId, 'identity:get_limit');
    const [found] = await this.ledger.ownLimits({ projectId, quantity }, 1);
    if (!found) throw new LimitNotFoundError(projectId, quantity);
    return found;
  }

  /**
   * Gives projects limits of their own, all or none.
   *
   * @throws NotPermittedError the caller is no administrator
   * @throws ProjectNotFoundError
   * @throws LimitTakenError one of them exists
   */
  async create(caller: Session, wanted: readonly OwnLimit[]): Promise<void> {
    this.policy.administer(caller, 'identity:create_limits');
    await this.uow.run(async () => {
      for (const { projectId, quantity, maximum } of wanted) {
        if (await this.write(caller, projectId, quantity, maximum, false)) continue;
        const known = await this.ledger.find(projectId, quantity);
        throw known ? new LimitTakenError(projectId, quantity) : new ProjectNotFoundError(projectId);
      }
    });
  }

  /**
   * Changes a limit. What is in use may be over it: then nothing more is let in.
   * @throws NotPermittedError the caller is no administrator @throws LimitNotFoundError
   */
  async update(caller: Session, wanted: OwnLimit): Promise<void> {
    this.policy.administer(caller, 'identity:update_limit');
    const { projectId, quantity, maximum } = wanted;
    await this.uow.run(async () => {
      if (!(await this.write(caller, projectId, quantity, maximum, true))) {
        throw new LimitNotFoundError(projectId, quantity);
      }
    });
  }

  /**
   * Takes a limit away: the default holds again.
   * @throws NotPermittedError the caller is no administrator @throws LimitNotFoundError
   */
  async remove(caller: Session, projectId: string, quantity: Quantity): Promise<void> {
    this.policy.administer(caller, 'identity:delete_limit');
    await this.uow.run(async () => {
      if (!(await this.write(caller, projectId, quantity, 'default', true))) {
        throw new LimitNotFoundError(projectId, quantity);
      }
    });
  }

  private async write(
    caller: Session,
    projectId: string,
    quantity: Quantity,
    maximum: number | null | 'default',
    wasOwn: boolean,
  ): Promise<boolean> {
    const changed = await this.ledger.setLimit(projectId, quantity, maximum, wasOwn);
    if (changed) {
      await this.outbox.record({
        kind: 'project.limit_changed',
        noun: 'project',
        nounId: projectId,
        projectId,
        actorId: caller.user.id,
        data: { quantity, maximum },
      });
    }
    return changed;
  }

  private async writeDefault(
    caller: Session,
    quantity: Quantity,
    maximum: number | null,
    mustBeNew = false,
  ): Promise<void> {
    if (!(await this.ledger.setDefaultLimit(quantity, maximum, mustBeNew))) throw new DefaultLimitTakenError(quantity);
    await this.outbox.record({
      kind: 'default_limit.changed',
      noun: 'default_limit',
      nounId: quantity,
      projectId: null,
      actorId: caller.user.id,
      data: { maximum },
    });
  }
}
