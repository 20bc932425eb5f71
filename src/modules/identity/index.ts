export type { ApplicationCredential } from './application-credentials.repository.js';
export { ApplicationCredentialsService, type CreateApplicationCredential } from './application-credentials.service.js';
export { DirectoryService } from './directory.service.js';
export { DEFAULT_DOMAIN, domainById, type Domain, type DomainReference } from './domains.js';
export {
  ApplicationCredentialNameTakenError,
  ApplicationCredentialNotFoundError,
  DomainNotFoundError,
  InvalidApplicationCredentialError,
  InvalidCredentialsError,
  InvalidPasswordError,
  RoleNotFoundError,
  SignInBusyError,
  TokenNotFoundError,
  TokenNotRescopableError,
  UnsupportedSignInMethodError,
  UserNotFoundError,
  UserTakenError,
} from './identity.errors.js';
export { IdentityModule } from './identity.module.js';
export { IdentityService } from './identity.service.js';
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
export { TokensService, type IssuedToken } from './tokens.service.js';
export type { RoleAssignment, RoleAssignmentFilter, User, UserFilter } from './users.repository.js';
export {
  UsersService,
  PASSWORD_MAXIMUM_LENGTH,
  type BoundedList,
  type DeclareUser,
  type PreparedPassword,
} from './users.service.js';
