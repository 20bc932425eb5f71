import { createHmac, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Config } from '../../config/config.js';
import type { Call } from './access-rules.js';
import { InvalidCredentialsError } from './identity.errors.js';
import { IdentityService } from './identity.service.js';
import { SignInFailures } from './sign-in-failures.js';
import { SignInService } from './sign-in.service.js';
import { type IssuedToken, TokensService } from './tokens.service.js';
import { UsersRepository } from './users.repository.js';

/** A login and what proves it, with every request: HTTP Basic. */
export interface BasicCredentials {
  readonly login: string;
  /**
   * The password; or a personal access token, which is an application credential in the form `<id>.<secret>`; or a token
   * of the identity service.
   */
  readonly secret: string;
  /** Where the request comes from. */
  readonly address: string;
}

const REMEMBERED_MAXIMUM = 10_000;
const ACCESS_TOKEN_FORM = /^([0-9a-f]{32})\.(.+)$/s;

/**
 * Turns credentials that come with every request into a token, once, since checking a password costs a fifth of a second.
 * What is remembered is the token under a digest of the credentials that no other process can make. Whatever ends the
 * token (another password, a credential that is removed) makes the next request sign in again.
 */
@Injectable()
export class BasicSignInService {
  private readonly salt = randomBytes(32);
  private readonly remembered = new LRUCache<string, Promise<string>>({ max: REMEMBERED_MAXIMUM });

  constructor(
    private readonly signIns: SignInService,
    private readonly identity: IdentityService,
    private readonly tokens: TokensService,
    private readonly users: UsersRepository,
    private readonly failures: SignInFailures,
    private readonly config: Config,
  ) {}

  /**
   * A token of the user, scoped to its default project, else to the only one it has; bound to the application credential's
   * project if it is one.
   *
   * @throws InvalidCredentialsError for every reason alike
   * @throws SignInBlockedError too many wrong ones came from the address; who is signed in already is not told this
   * @throws SignInBusyError too many others sign in
   */
  async token(credentials: BasicCredentials, call: Call): Promise<string> {
    const { login, secret } = credentials;
    if (login === '' || secret === '') throw new InvalidCredentialsError();
    const key = createHmac('sha256', this.salt).update(`${login.length}:${login}:${secret}`).digest('base64url');
    const known = this.remembered.get(key);
    if (known) {
      const token = await known;
      if (await this.isGood(token)) return token;
      // Somebody else may have signed in again meanwhile.
      if (this.remembered.get(key) === known) this.remembered.delete(key);
    }
    return this.remembered.get(key) ?? this.start(key, credentials, call);
  }

  private start(key: string, credentials: BasicCredentials, call: Call): Promise<string> {
    const token = this.signIn(credentials, call);
    this.remembered.set(key, token);
    token.catch(() => {
      if (this.remembered.get(key) === token) this.remembered.delete(key);
    });
    return token;
  }

  private async signIn(credentials: BasicCredentials, call: Call): Promise<string> {
    const { address } = credentials;
    await this.failures.check(address);
    try {
      return await this.prove(credentials, call);
    } catch (error) {
      if (error instanceof InvalidCredentialsError) await this.failures.count(address);
      throw error;
    }
  }

  private async prove({ login, secret }: BasicCredentials, call: Call): Promise<string> {
    if (await this.isTokenOf(login, secret, call)) return secret;
    // Passwords are the other identity service's to check.
    if (this.config.keystone) throw new InvalidCredentialsError();
    const accessToken = ACCESS_TOKEN_FORM.exec(secret);
    if (accessToken) {
      const found = await this.tryAccessToken(login, accessToken[1]!, accessToken[2]!);
      if (found) return found;
    }
    const domain = { id: 'default' };
    const signedIn = await this.signIns.signIn({
      proofs: [{ method: 'password', user: { name: login, domain }, password: secret }],
      scope: { kind: 'default' },
    });
    return (await this.scoped(signedIn)).token;
  }

  private async tryAccessToken(login: string, id: string, secret: string): Promise<string | null> {
    try {
      const { token, session } = await this.signIns.signIn({
        proofs: [{ method: 'application_credential', credential: { id }, secret }],
        scope: { kind: 'default' },
      });
      return session.user.name === login ? token : null;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return null;
      throw error;
    }
  }

  /** Into the only project of a user who has no default one. */
  private async scoped(signedIn: IssuedToken): Promise<IssuedToken> {
    const { session, token } = signedIn;
    if (session.scope.kind === 'project') return signedIn;
    const [only, more] = await this.users.projectIds(session.user.id, 2);
    if (only === undefined || more !== undefined) return signedIn;
    try {
      return await this.signIns.signIn({
        proofs: [{ method: 'token', token }],
        scope: { kind: 'project', project: { id: only } },
      });
    } catch (error) {
      // The project is disabled.
      if (error instanceof InvalidCredentialsError) return signedIn;
      throw error;
    }
  }

  private async isTokenOf(login: string, secret: string, call: Call): Promise<boolean> {
    try {
      return (await this.identity.session(secret, call)).user.name === login;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return false;
      throw error;
    }
  }

  /** Whatever calls it is good for. What the other identity service says of one is asked with every call anyway. */
  private async isGood(token: string): Promise<boolean> {
    if (this.config.keystone) return true;
    try {
      await this.tokens.session(token);
      return true;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return false;
      throw error;
    }
  }
}
