import { Injectable } from '@nestjs/common';
import { NotPermittedError } from '../tenancy/index.js';
import type { Session } from './tokens/session.js';

/** Who may ask identity for what. Refusals name the action as Keystone's policies do. */
@Injectable()
export class IdentityPolicy {
  mayInspectToken(caller: Session, subject: Session): void {
    allow(aboutOwn(caller, subject) || isOperator(caller), 'identity:validate_token');
  }

  mayRevokeToken(caller: Session, subject: Session): void {
    allow(aboutOwn(caller, subject) || isOperator(caller), 'identity:revoke_token');
  }

  /** What only administrators of the deployment may do. */
  administer(caller: Session, action: string): void {
    allow(caller.actor.isAdmin, action);
  }

  /** What users may do for themselves, and administrators for everybody. */
  self(caller: Session, userId: string, action: string): void {
    allow(caller.user.id === userId || caller.actor.isAdmin, action);
  }

  /** What nobody may do for another one. */
  onlySelf(caller: Session, userId: string, action: string): void {
    allow(caller.user.id === userId, action);
  }

  /** Whoever acts in the domain sees it. */
  maySeeDomain(caller: Session, domainId: string): void {
    const { scope } = caller;
    const own =
      (scope.kind === 'project' && scope.project.domainId === domainId) ||
      (scope.kind === 'domain' && scope.domain.id === domainId);
    allow(own || caller.actor.isAdmin, 'identity:get_domain');
  }

  /**
   * A token of a restricted application credential makes and removes no application credentials; neither does one with
   * access rules, which would make one without.
   */
  mayChangeCredentials(caller: Session, userId: string, action: string): void {
    const { applicationCredential: own } = caller;
    allow(!own || (own.unrestricted && own.accessRules === null), action);
    if (action === 'identity:create_application_credential') this.onlySelf(caller, userId, action);
    else this.self(caller, userId, action);
  }

  /** An access key acts with all roles of its user: whoever has only some of them can neither make nor read one. */
  mayUseAccessKeys(caller: Session, userId: string, action: string): void {
    allow(!caller.applicationCredential, action);
    this.self(caller, userId, action);
  }

  /** Whoever acts in a project sees its limits. */
  maySeeLimits(caller: Session, projectId: string | undefined, action: string): void {
    allow(caller.actor.isAdmin || (projectId !== undefined && caller.actor.projectId === projectId), action);
  }
}

function aboutOwn(caller: Session, subject: Session): boolean {
  return caller.user.id === subject.user.id;
}

function isOperator(caller: Session): boolean {
  return caller.actor.isAdmin || caller.actor.roles.has('service');
}

function allow(condition: boolean, action: string): void {
  if (!condition) throw new NotPermittedError(action);
}
