import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type RemoteExecution, RemoteBuilds } from '../../modules/jobs/index.js';
import { tokenOf } from '../shared/callers/credentials.js';
import { RequestRate } from '../shared/rates/request-rate.js';
import { CredentialRequiredError } from '../shared/requests/request-errors.js';

interface ExecutionRequest extends FastifyRequest {
  execution: RemoteExecution;
}

/** The credential of an execution in, the execution out. No user's token is good here. */
@Injectable()
export class BuilderGuard implements CanActivate {
  constructor(
    private readonly builds: RemoteBuilds,
    private readonly rate: RequestRate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ExecutionRequest>();
    const { id } = request.params as { id: string };
    request.execution = await this.rate.identify(request, async () => {
      const token = tokenOf(request);
      if (token === null) throw new CredentialRequiredError();
      return { caller: await this.builds.authenticate(id, token), credential: token };
    });
    return true;
  }
}

/** The execution in whose name the program speaks. */
export const CurrentExecution = createParamDecorator(
  (_data: unknown, context: ExecutionContext): RemoteExecution =>
    context.switchToHttp().getRequest<ExecutionRequest>().execution,
);
