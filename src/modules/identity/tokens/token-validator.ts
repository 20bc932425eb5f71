import { Injectable } from '@nestjs/common';
import { allowsCall, type Call } from '../application-credentials/access-rules.js';
import { InvalidCredentialsError } from '../identity.errors.js';
import type { Session } from './session.js';
import { TokensService } from './tokens.service.js';

/** Whose word on tokens counts: Kiln's own, or that of a Keystone. */
export abstract class TokenValidator {
  /**
   * What a token stands for, in a call that it is good for.
   *
   * @throws UnauthenticatedError unknown, expired, revoked, what it depends on is gone, or its access rules do not let
   *   the call through
   * @throws UnavailableError whoever knows does not answer
   */
  abstract session(token: string, call: Call): Promise<Session>;
}

/** The tokens that Kiln itself makes. */
@Injectable()
export class OwnTokenValidator extends TokenValidator {
  constructor(private readonly tokens: TokensService) {
    super();
  }

  override async session(token: string, call: Call): Promise<Session> {
    const session = await this.tokens.session(token);
    if (!allowsCall(session.applicationCredential?.accessRules ?? null, call)) throw new InvalidCredentialsError();
    return session;
  }
}
