import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Config } from '../../config/config.js';
import { AccessKeysService, IdentityService } from '../../modules/identity/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { TokenGuard } from '../shared/auth-guard.js';
import { tokenOf } from '../shared/credentials.js';
import type { AuthenticatedRequest } from '../shared/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { credentialKey, RequestRate } from '../shared/request-rate.js';
import { dialectOf } from './dialect.js';
import { NoProjectError } from './parallelcluster.errors.js';
import { ALGORITHM, isSignedWith, type QueryForm, readSignature, SignatureError } from './signature/signature-v4.js';

/** The preview's client signs a query that it does not send. */
const QUERY_FORMS = {
  released: ['raw', 'rfc3986'],
  preview: ['raw', 'rfc3986', 'decoded'],
} as const satisfies Record<string, readonly QueryForm[]>;

/** Whose request it is, by a signature with an access key, or by a token of Kiln; then whether there were too many. */
@Injectable()
export class ParallelClusterGuard extends TokenGuard {
  constructor(
    identity: IdentityService,
    faces: FaceRegistry,
    private readonly keys: AccessKeysService,
    private readonly rate: RequestRate,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {
    super(identity, faces);
  }

  /**
   * @throws UnauthenticatedError
   * @throws RateLimitedError
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const credential = isSigned(request) ? await this.checkSignature(request) : await this.checkToken(request);
    if (request.actor.projectId === null) throw new NoProjectError();
    await this.rate.take(credentialKey(credential));
    return true;
  }

  /** Returns the token. */
  private async checkToken(request: AuthenticatedRequest): Promise<string> {
    await this.authenticate(request);
    return tokenOf(request)!;
  }

  /** Returns the name of the key. */
  private async checkSignature(request: AuthenticatedRequest): Promise<string> {
    const signed = {
      method: request.method,
      target: request.raw.url ?? '/',
      rawHeaders: request.raw.rawHeaders,
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    };
    const signature = readSignature(signed, this.clock.now(), this.config.signingRegions);
    // Keys of Kiln are permanent, so none has a session.
    if (signature.securityToken !== null) throw new SignatureError('The access key has no session token');
    const key = await this.keys.findAccessKey(signature.access);
    if (!key || !isSignedWith(key.secret, signature, signed, QUERY_FORMS[dialectOf(request)])) {
      throw new SignatureError('The access key is unknown, or the signature is not one of it');
    }
    request.actor = key.actor satisfies Actor;
    return signature.access;
  }
}

function isSigned({ headers }: AuthenticatedRequest): boolean {
  return headers.authorization?.startsWith(ALGORITHM) ?? false;
}
