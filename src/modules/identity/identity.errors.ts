import {
  ConflictError,
  ForbiddenError,
  InvalidError,
  NotFoundError,
  UnauthenticatedError,
  UnavailableError,
} from '../../common/errors.js';

/**
 * A sign-in, or a token, that is not good. Wrong password, unknown user or project, no role, disabled: one error for
 * all, so that nobody learns which.
 */
export class InvalidCredentialsError extends UnauthenticatedError {
  override readonly code: string = 'identity.invalid_credentials';
  constructor() {
    super('The request you have made requires authentication.');
  }
}

/** Too many wrong credentials came from one address; `details.retryAfterSeconds` says when to try again. */
export class SignInBlockedError extends UnauthenticatedError {
  override readonly code = 'identity.sign_in_blocked';
  constructor(retryAfterSeconds: number) {
    super(`Too many failed attempts to sign in; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}

/** A sign-in method that Kiln does not offer; `details.methods` lists those it does. */
export class UnsupportedSignInMethodError extends UnauthenticatedError {
  override readonly code = 'identity.unsupported_method';
  constructor(method: string, methods: readonly string[]) {
    super(`The sign-in method ${method} is not offered`, { methods });
  }
}

/** So many sign-ins wait already that another one would not be answered in time. */
export class SignInBusyError extends UnavailableError {
  override readonly code = 'identity.sign_in_busy';
  constructor() {
    super('Too many sign-ins at once; try again shortly');
  }
}

/** Unknown, expired or revoked. */
export class TokenNotFoundError extends NotFoundError {
  override readonly code = 'identity.token_not_found';
  constructor() {
    super('Could not find token.');
  }
}

/** A token that comes from an application credential is bound to its project and makes no other tokens. */
export class TokenNotRescopableError extends ForbiddenError {
  override readonly code = 'identity.token_not_rescopable';
  constructor() {
    super('A token of an application credential cannot be used to make another token.');
  }
}

export class UserNotFoundError extends NotFoundError {
  override readonly code = 'identity.user_not_found';
  constructor(user: string) {
    super(`Could not find user: ${user}.`, { user });
  }
}

export class DomainNotFoundError extends NotFoundError {
  override readonly code = 'identity.domain_not_found';
  constructor(domain: string) {
    super(`Could not find domain: ${domain}.`, { domain });
  }
}

export class RoleNotFoundError extends NotFoundError {
  override readonly code = 'identity.role_not_found';
  constructor(role: string) {
    super(`Could not find role: ${role}.`, { role });
  }
}

export class RoleAssignmentNotFoundError extends NotFoundError {
  override readonly code = 'identity.role_assignment_not_found';
  constructor(project: string, user: string, role: string) {
    super(`Could not find role assignment with role: ${role}, user: ${user}, project: ${project}.`);
  }
}

/** Afterwards nobody could administer the deployment. */
export class LastAdministratorError extends ConflictError {
  override readonly code = 'identity.last_administrator';
  constructor() {
    super(
      'This would leave no enabled user with the role admin in an enabled project; give somebody else the role first',
    );
  }
}

export class ApplicationCredentialNotFoundError extends NotFoundError {
  override readonly code = 'identity.application_credential_not_found';
  constructor(credential: string) {
    super(`Could not find Application Credential: ${credential}.`, { credential });
  }
}

export class ApplicationCredentialNameTakenError extends ConflictError {
  override readonly code = 'identity.application_credential_name_taken';
  constructor(name: string) {
    super(`The user has an application credential named ${name} already.`, { name });
  }
}

export class AccessRuleNotFoundError extends NotFoundError {
  override readonly code = 'identity.access_rule_not_found';
  constructor(rule: string) {
    super(`Could not find Access Rule: ${rule}.`, { rule });
  }
}

/** Application credentials that have the rule would be good for more without it. */
export class AccessRuleInUseError extends ForbiddenError {
  override readonly code = 'identity.access_rule_in_use';
  constructor(rule: string) {
    super(`Access rule ${rule} is in use by an application credential and cannot be deleted.`, { rule });
  }
}

export class AccessKeyNotFoundError extends NotFoundError {
  override readonly code = 'identity.access_key_not_found';
  constructor(key: string) {
    super(`Could not find credential: ${key}.`, { key });
  }
}

export class AccessKeyTakenError extends ConflictError {
  override readonly code = 'identity.access_key_taken';
  constructor(access: string) {
    super(`The access key ${access} exists already.`, { access });
  }
}

/** An access key or its secret is not of a form that signatures can be made with. */
export class InvalidAccessKeyError extends InvalidError {
  override readonly code = 'identity.invalid_access_key';
}

/** What was asked of an application credential cannot be had. */
export class InvalidApplicationCredentialError extends InvalidError {
  override readonly code = 'identity.invalid_application_credential';
  constructor(reason: string) {
    super(`Invalid application credential: ${reason}.`);
  }
}

/** A password that Kiln does not take. */
export class InvalidPasswordError extends InvalidError {
  override readonly code = 'identity.invalid_password';
}

/** The name or the id of a user belongs to another one. */
export class UserTakenError extends ConflictError {
  override readonly code = 'identity.user_taken';
  constructor(name: string) {
    super(`Another user is named ${name}`, { name });
  }
}

/** The project has no limit of its own for that; the default holds. */
export class LimitNotFoundError extends NotFoundError {
  override readonly code = 'identity.limit_not_found';
  constructor(project: string, quantity: string) {
    super(`Could not find limit of ${quantity} for project ${project}.`, { project, quantity });
  }
}

export class LimitTakenError extends ConflictError {
  override readonly code = 'identity.limit_taken';
  constructor(project: string, quantity: string) {
    super(`The project ${project} has a limit of ${quantity} already; change that one.`, { project, quantity });
  }
}

export class DefaultLimitTakenError extends ConflictError {
  override readonly code = 'identity.default_limit_taken';
  constructor(quantity: string) {
    super(`There is a default limit of ${quantity} already; change that one.`, { quantity });
  }
}
