import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { Log } from '../../../platform/logging/log.js';
import { SecretBox, SecretUnreadableError } from '../../../platform/secrets/secret-box.js';
import { Actor, NotPermittedError, ProjectNotFoundError, ProjectsService } from '../../tenancy/index.js';
import { AccessKeysRepository, type StoredAccessKey } from './access-keys.repository.js';
import {
  AccessKeyNotFoundError,
  AccessKeyTakenError,
  InvalidAccessKeyError,
  UserNotFoundError,
} from '../identity.errors.js';
import { IdentityPolicy } from '../identity.policy.js';
import type { Session } from '../tokens/session.js';
import { type BoundedList, bounded, LIST_MAXIMUM } from '../users/users.service.js';
import { UsersRepository } from '../users/users.repository.js';

/** A pair with which a user's programs sign requests in one project; Keystone's EC2 credential. */
export interface AccessKey {
  readonly access: string;
  /** SHA-256 of `access` in hexadecimal. */
  readonly id: string;
  readonly secret: string;
  readonly userId: string;
  readonly projectId: string;
}

/** The pair itself, where somebody chose it. */
export interface ChosenAccessKey {
  readonly access: string;
  readonly secret: string;
}

/** What whoever checks a signature needs. */
export interface SigningKey {
  readonly secret: string;
  /** The user, in the key's project, with the roles of now. */
  readonly actor: Actor;
}

// Signatures name the key before a slash and after an equals sign.
const ACCESS_FORM = /^[\w.:+@-]{1,128}$/;
const SECRET_FORM = /^[\x21-\x7e]{1,255}$/;
const KEY_BYTES = 16;

/** Access keys. Their secrets can be had again by their owners, and are sealed where they lie. */
@Injectable()
export class AccessKeysService {
  constructor(
    private readonly keys: AccessKeysRepository,
    private readonly users: UsersRepository,
    private readonly projects: ProjectsService,
    private readonly secrets: SecretBox,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly log: Log,
  ) {}

  /**
   * Makes a key of a user for a project.
   *
   * @param chosen made up when absent
   * @throws NotPermittedError for somebody else, or in a project without a role of the user's, and the caller is no
   *   administrator; with a token of an application credential
   * @throws UserNotFoundError, ProjectNotFoundError only administrators learn these
   * @throws AccessKeyTakenError, InvalidAccessKeyError
   */
  async create(caller: Session, userId: string, projectId: string, chosen?: ChosenAccessKey): Promise<AccessKey> {
    const action = 'identity:ec2_create_credential';
    this.policy.mayUseAccessKeys(caller, userId, action);
    if (!caller.actor.isAdmin && (await this.users.roles(userId, projectId)).length === 0) {
      throw new NotPermittedError(action);
    }
    if (!(await this.users.find(userId))) throw new UserNotFoundError(userId);
    if (!(await this.projects.find(projectId))) throw new ProjectNotFoundError(projectId);
    const pair = chosen ?? { access: randomHex(), secret: randomHex() };
    const stored = await this.seal(pair, userId, projectId);
    await this.uow.run(async () => {
      await this.keys.insert(stored);
      await this.record('access_key.created', stored, caller.user.id);
    });
    return this.open(stored);
  }

  /**
   * Of one user, or of everybody (null), by user and access key; at most `LIST_MAXIMUM`. Keys whose secrets cannot be read
   * (any more) are left out: they are of no use, and the others are.
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   */
  async list(caller: Session, userId: string | null): Promise<BoundedList<AccessKey>> {
    const action = 'identity:ec2_list_credentials';
    if (userId === null) this.policy.administer(caller, action);
    else this.policy.mayUseAccessKeys(caller, userId, action);
    const { items, truncated } = bounded(await this.keys.list(userId, LIST_MAXIMUM + 1));
    const opened = await Promise.all(items.map((stored) => this.openIfReadable(stored)));
    return { items: opened.filter((key) => key !== null), truncated };
  }

  /**
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws AccessKeyNotFoundError
   */
  async get(caller: Session, userId: string, access: string): Promise<AccessKey> {
    this.policy.mayUseAccessKeys(caller, userId, 'identity:ec2_get_credential');
    const stored = await this.keys.find(access);
    if (stored?.userId !== userId) throw new AccessKeyNotFoundError(access);
    return this.open(stored);
  }

  /**
   * By the id that Keystone's credentials have.
   * @throws NotPermittedError somebody else's, known or not, and the caller is no administrator
   * @throws AccessKeyNotFoundError only administrators learn this
   */
  async getById(caller: Session, id: string): Promise<AccessKey> {
    return this.open(await this.findById(caller, id, 'identity:get_credential'));
  }

  /**
   * Removes a key; what was signed with it is worth nothing from then on.
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws AccessKeyNotFoundError
   */
  async remove(caller: Session, userId: string, access: string): Promise<void> {
    this.policy.mayUseAccessKeys(caller, userId, 'identity:ec2_delete_credential');
    const stored = await this.keys.find(access);
    if (stored?.userId !== userId) throw new AccessKeyNotFoundError(access);
    await this.drop(stored, caller);
  }

  /** As `remove`, by the id that Keystone's credentials have. */
  async removeById(caller: Session, id: string): Promise<void> {
    await this.drop(await this.findById(caller, id, 'identity:delete_credential'), caller);
  }

  /**
   * Makes a key exist as declared, however often it is called.
   * @throws AccessKeyTakenError it is another user's
   * @throws InvalidAccessKeyError
   */
  async declare(userId: string, projectId: string, pair: ChosenAccessKey): Promise<void> {
    await this.uow.run(async () => {
      const found = await this.keys.find(pair.access);
      if (!found) {
        const stored = await this.seal(pair, userId, projectId);
        await this.keys.insert(stored);
        await this.record('access_key.created', stored, null);
        return;
      }
      if (found.userId !== userId) throw new AccessKeyTakenError(pair.access);
      // One that was sealed with a key that is lost is sealed anew.
      const secret = await this.secrets.open(found.sealedSecret, found.id).catch(() => null);
      if (secret === pair.secret && found.projectId === projectId) return;
      const stored = await this.seal(pair, userId, projectId);
      await this.keys.update(pair.access, projectId, stored.sealedSecret);
      await this.record('access_key.updated', stored, null);
    });
  }

  /**
   * What a signature can be checked with.
   * @returns null for an unknown key, and while its user or project is disabled or the user has no role there
   */
  async findAccessKey(access: string): Promise<SigningKey | null> {
    const found = ACCESS_FORM.test(access) ? await this.keys.inForce(access) : null;
    if (!found || found.roles.length === 0) return null;
    return {
      secret: await this.secrets.open(found.sealedSecret, found.id),
      actor: Actor.user({
        id: found.userId,
        name: found.userName,
        projectId: found.projectId,
        projectName: found.projectName,
        roles: found.roles,
      }),
    };
  }

  private async findById(caller: Session, id: string, action: string): Promise<StoredAccessKey> {
    const stored = await this.keys.findById(id);
    if (!stored) {
      this.policy.administer(caller, action);
      throw new AccessKeyNotFoundError(id);
    }
    this.policy.mayUseAccessKeys(caller, stored.userId, action);
    return stored;
  }

  private async drop(stored: StoredAccessKey, caller: Session): Promise<void> {
    await this.uow.run(async () => {
      if (!(await this.keys.remove(stored.access))) throw new AccessKeyNotFoundError(stored.access);
      await this.record('access_key.deleted', stored, caller.user.id);
    });
  }

  private async seal(pair: ChosenAccessKey, userId: string, projectId: string): Promise<StoredAccessKey> {
    if (!ACCESS_FORM.test(pair.access)) {
      throw new InvalidAccessKeyError('An access key has 1 to 128 letters, digits and _ . : + @ -');
    }
    if (!SECRET_FORM.test(pair.secret)) {
      throw new InvalidAccessKeyError('The secret of an access key has 1 to 255 visible ASCII characters');
    }
    const id = createHash('sha256').update(pair.access).digest('hex');
    return { access: pair.access, id, userId, projectId, sealedSecret: await this.secrets.seal(pair.secret, id) };
  }

  private async open({ sealedSecret, ...key }: StoredAccessKey): Promise<AccessKey> {
    return { ...key, secret: await this.secrets.open(sealedSecret, key.id) };
  }

  private async openIfReadable(stored: StoredAccessKey): Promise<AccessKey | null> {
    try {
      return await this.open(stored);
    } catch (error) {
      if (!(error instanceof SecretUnreadableError)) throw error;
      this.log.warn('an access key is left out of a list, since its secret was sealed with another KILN_SECRET_KEY', {
        key_id: stored.id,
        user_id: stored.userId,
      });
      return null;
    }
  }

  private record(kind: string, key: StoredAccessKey, actorId: string | null): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'access_key',
      nounId: key.id,
      projectId: key.projectId,
      actorId,
      data: { access: key.access, user_id: key.userId },
    });
  }
}

function randomHex(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}
