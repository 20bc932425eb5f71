import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Session } from '../../modules/identity/index.js';
import type { Within } from '../../modules/provisioning/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import type { QueryValues } from './listing/list-request.js';

/** A request with everything that the guard found out about it. */
export interface ForemanCall {
  readonly session: Session;
  /** Acts in the organization that the request names, else in the user's own. */
  readonly actor: Actor;
  readonly within: Within;
  readonly query: QueryValues;
  /** What came with a POST or PUT; empty with other methods. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request behind the guard. */
export interface ForemanRequest extends AuthenticatedRequest {
  foreman: ForemanCall;
}

export const CurrentCall = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ForemanCall =>
    context.switchToHttp().getRequest<ForemanRequest>().foreman,
);
