import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Config } from '../../config/config.js';
import { IdentityService, SignatureSignInService } from '../../modules/identity/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { type Identified, RequestRate } from '../shared/rates/request-rate.js';
import { dialectOf } from './dialect.js';
import { NoProjectError } from './parallelcluster.errors.js';
import { ALGORITHM, isSignedWith, type QueryForm, readSignature, SignatureError } from './signature/signature-v4.js';

/** The preview's client signs a query that it does not send. */
const QUERY_FORMS = {
  released: ['raw', 'rfc3986'],
  preview: ['raw', 'rfc3986', 'decoded'],
} as const satisfies Record<string, readonly QueryForm[]>;

/** Whose request it is, by a signature with an access key, or by a token of Kiln. */
@Injectable()
export class ParallelClusterGuard extends TokenGuard {
  constructor(
    identity: IdentityService,
    faces: FaceRegistry,
    private readonly signIns: SignatureSignInService,
    rate: RequestRate,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {
    super(identity, faces, rate);
  }

  /**
   * @throws UnauthenticatedError
   * @throws RateLimitedError
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    await this.authenticate(request);
    if (request.actor.projectId === null) throw new NoProjectError();
    return true;
  }

  protected override find(request: AuthenticatedRequest): Promise<Identified<Actor>> {
    return isSigned(request) ? this.findSigner(request) : super.find(request);
  }

  /** Signatures differ from request to request; their keys do not. */
  private async findSigner(request: AuthenticatedRequest): Promise<Identified<Actor>> {
    const signed = {
      method: request.method,
      target: request.raw.url ?? '/',
      rawHeaders: request.raw.rawHeaders,
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    };
    const signature = readSignature(signed, this.clock.now(), this.config.signingRegions);
    // Keys of Kiln are permanent, so none has a session.
    if (signature.securityToken !== null) throw new SignatureError('The access key has no session token');
    const forms = QUERY_FORMS[dialectOf(request)];
    const signer = await this.signIns.findSigner(signature.access, request.ip, (secret) =>
      isSignedWith(secret, signature, signed, forms),
    );
    if (!signer) throw new SignatureError('The access key is unknown, or the signature is not one of it');
    return { caller: signer, credential: signature.access };
  }
}

function isSigned({ headers }: AuthenticatedRequest): boolean {
  return headers.authorization?.startsWith(ALGORITHM) ?? false;
}
