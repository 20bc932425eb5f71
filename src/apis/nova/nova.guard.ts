import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { IdentityService } from '../../modules/identity/index.js';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { RequestRate } from '../shared/rates/request-rate.js';
import { askedVersion, minorOf } from './microversion.js';
import { ProjectMismatchError, ResourceNotFoundError } from './nova.errors.js';
import { askedPath } from './nova.face.js';

/** The last minor that has the calls of a controller. */
export const ServedUpTo = Reflector.createDecorator<number>();

/** Whose request it is, and whether its microversion and its path fit; in the order of the reference. */
@Injectable()
export class NovaGuard extends TokenGuard {
  constructor(
    identity: IdentityService,
    faces: FaceRegistry,
    rate: RequestRate,
    private readonly reflector: Reflector,
  ) {
    super(identity, faces, rate);
  }

  /**
   * @throws UnauthenticatedError
   * @throws RateLimitedError
   * @throws VersionMalformedError, VersionNotSupportedError
   * @throws ResourceNotFoundError the microversion has no such call any more
   * @throws ProjectMismatchError
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    await this.authenticate(request);
    const { base, projectId } = askedPath(request);
    // The older base has no microversions, so no call ever leaves it.
    const minor = base === 'v2' ? 1 : minorOf(askedVersion(request.headers));
    const last = this.reflector.get(ServedUpTo, context.getClass()) ?? Infinity;
    if (minor > last) throw new ResourceNotFoundError();
    if (projectId !== null && projectId !== request.actor.projectId) {
      throw new ProjectMismatchError(projectId, request.actor.projectId);
    }
    return true;
  }
}
