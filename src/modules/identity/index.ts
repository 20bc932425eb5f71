export {
  AccessKeysService,
  type AccessKey,
  type ChosenAccessKey,
  type SigningKey,
} from './access-keys/access-keys.service.js';
export { ACCESS_RULE_METHODS, type AccessRule, type Call } from './application-credentials/access-rules.js';
export type { WantedAccessRule } from './application-credentials/access-rules.repository.js';
export type { ApplicationCredential } from './application-credentials/application-credentials.repository.js';
export {
  ApplicationCredentialsService,
  type CreateApplicationCredential,
} from './application-credentials/application-credentials.service.js';
export { type BasicCredentials, BasicSignInService } from './sign-in/basic-sign-in.service.js';
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
export type { Scope, ScopeKind, Session } from './tokens/session.js';
export {
  SIGN_IN_METHODS,
  SignInService,
  type NameOrId,
  type Proof,
  type SignIn,
  type WantedScope,
} from './sign-in/sign-in.service.js';
export { SignatureSignInService } from './sign-in/signature-sign-in.service.js';
export { TokensService, type IssuedToken } from './tokens/tokens.service.js';
export { UserAdministrationService, type CreateUser, type UpdateUser } from './users/user-administration.service.js';
export type { RoleAssignment, RoleAssignmentFilter, User, UserFilter } from './users/users.repository.js';
export {
  UsersService,
  PASSWORD_MAXIMUM_LENGTH,
  type BoundedList,
  type DeclareUser,
  type PreparedPassword,
} from './users/users.service.js';
