export { Actor, ROLES, withImplied, type Role } from './actor.js';
export { Ledger, type OwnLimit, type OwnLimitFilter, type Usage } from './ledger.js';
export {
  PROJECT_LIST_MAXIMUM,
  ProjectsService,
  type CreateProject,
  type DeclareProject,
  type Project,
  type ProjectFilter,
  type UpdateProject,
} from './projects.service.js';
export { Policy, type PolicyRules } from './policy/policy.js';
export type { PolicyTarget } from './policy/policy-check.js';
export { loadPolicy } from './policy/policy-file.js';
export { QUANTITIES, type Limits, type Quantity } from './quantity.js';
export {
  LimitExceededError,
  NotPermittedError,
  ProjectInUseError,
  ProjectNameTakenError,
  ProjectNotFoundError,
} from './tenancy.errors.js';
export { TenancyModule } from './tenancy.module.js';
