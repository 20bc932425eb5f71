export { AccessKeysService, type AccessKey, type ChosenAccessKey, type SigningKey } from './access-keys.service.js';
export { ACCESS_RULE_METHODS, type AccessRule, type Call } from './access-rules.js';
export type { WantedAccessRule } from './access-rules.repository.js';
export type { ApplicationCredential } from './application-credentials.repository.js';
export { ApplicationCredentialsService, type CreateApplicationCredential } from './application-credentials.service.js';
export { type BasicCredentials, BasicSignInService } from './basic-sign-in.service.js';
export { DirectoryService } from './directory.service.js';
export { DEFAULT_DOMAIN, domainById, type Domain, type DomainReference } from './domains.js';
export {
  AccessKeyTakenError,
  ApplicationCredentialNameTakenError,
  ApplicationCredentialNotFoundError,
  DomainNotFoundError,
  InvalidAccessKeyError,
  InvalidApplicationCredentialError,
  InvalidCredentialsError,
  InvalidPasswordError,
  RoleNotFoundError,
  SignInBlockedError,
  SignInBusyError,
  TokenNotFoundError,
  TokenNotRescopableError,
  UnsupportedSignInMethodError,
  UserNotFoundError,
  UserTakenError,
} from './identity.errors.js';
export { IdentityModule } from './identity.module.js';
export { IdentityService } from './identity.service.js';
export { LimitsService } from './limits.service.js';
export { ProjectAdministrationService } from './project-administration.service.js';
export {
  expandRoles,
  findRoleById,
  findRoleByName,
  ROLE_RECORDS,
  roleRecord,
  stableId,
  type RoleRecord,
} from './roles.js';
export type { Scope, ScopeKind, Session } from './session.js';
export {
  SIGN_IN_METHODS,
  SignInService,
  type NameOrId,
  type Proof,
  type SignIn,
  type WantedScope,
} from './sign-in.service.js';
export { SignatureSignInService } from './signature-sign-in.service.js';
export { TokensService, type IssuedToken } from './tokens.service.js';
export { UserAdministrationService, type CreateUser, type UpdateUser } from './user-administration.service.js';
export type { RoleAssignment, RoleAssignmentFilter, User, UserFilter } from './users.repository.js';
export {
  UsersService,
  PASSWORD_MAXIMUM_LENGTH,
  type BoundedList,
  type DeclareUser,
  type PreparedPassword,
} from './users.service.js';
