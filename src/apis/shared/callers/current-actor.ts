import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../../modules/tenancy/index.js';

/** A request behind a face's guard. */
export interface AuthenticatedRequest extends FastifyRequest {
  actor: Actor;
}

/** The actor that the face's guard decided on. */
export const CurrentActor = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Actor => context.switchToHttp().getRequest<AuthenticatedRequest>().actor,
);
