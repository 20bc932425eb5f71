import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { UnauthenticatedError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { IdentityService, SignatureSignInService } from '../../modules/identity/index.js';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import { tokenOf } from '../shared/callers/credentials.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { credentialKey, RequestRate } from '../shared/rates/request-rate.js';
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
    private readonly signIns: SignatureSignInService,
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
    const credential = await this.identify(request);
    if (request.actor.projectId === null) throw new NoProjectError();
    await this.rate.take(credentialKey(credential));
    return true;
  }

  /** Returns what is the same in every request of the caller. */
  private async identify(request: AuthenticatedRequest): Promise<string> {
    try {
      return isSigned(request) ? await this.checkSignature(request) : await this.checkToken(request);
    } catch (error) {
      // Who is nobody is known by its address.
      if (error instanceof UnauthenticatedError) await this.rate.take(`from ${request.ip}`);
      throw error;
    }
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
    const forms = QUERY_FORMS[dialectOf(request)];
    const signer = await this.signIns.findSigner(signature.access, request.ip, (secret) =>
      isSignedWith(secret, signature, signed, forms),
    );
    if (!signer) throw new SignatureError('The access key is unknown, or the signature is not one of it');
    request.actor = signer;
    return signature.access;
  }
}

function isSigned({ headers }: AuthenticatedRequest): boolean {
  return headers.authorization?.startsWith(ALGORITHM) ?? false;
}
