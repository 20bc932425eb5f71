import { createHmac, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Config } from '../../../config/config.js';
import type { Call } from '../application-credentials/access-rules.js';
import { InvalidCredentialsError } from '../identity.errors.js';
import { IdentityService } from '../identity.service.js';
import type { Session } from '../tokens/session.js';
import { SignInFailures } from './sign-in-failures.js';
import { SignInService } from './sign-in.service.js';
import { type IssuedToken, TokensService } from '../tokens/tokens.service.js';

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
 * token (another password, a credential that is removed) makes the next request sign in again; where the user acts is looked
 * at with every request.
 */
@Injectable()
export class BasicSignInService {
  private readonly salt = randomBytes(32);
  private readonly remembered = new LRUCache<string, Promise<string>>({ max: REMEMBERED_MAXIMUM });

  constructor(
    private readonly signIns: SignInService,
    private readonly identity: IdentityService,
    private readonly tokens: TokensService,
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
    if (!known) return this.remember(key, this.signIn(credentials, call));
    const token = await known;
    // What the other identity service says of a token is asked with every call anyway, and a client's own token stays its own.
    if (this.config.keystone) return token;
    const session = await this.sessionOf(token);
    if (session && (token === secret || isSettled(session))) return token;
    // Somebody else may have begun to sign in again meanwhile.
    if (this.remembered.get(key) !== known) return this.token(credentials, call);
    return this.remember(key, session ? this.settle({ token, session }) : this.signIn(credentials, call));
  }

  private remember(key: string, token: Promise<string>): Promise<string> {
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
    return isSettled(signedIn.session) ? signedIn.token : this.settle(signedIn);
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

  /** Into the project in which the user acts now; where there is none, it stays where it is. */
  private async settle({ session, token }: IssuedToken): Promise<string> {
    const usual = await this.signIns.usualProject(session.user.id);
    if (!usual || (session.scope.kind === 'project' && session.scope.project.id === usual.id)) return token;
    try {
      const settled = await this.signIns.signIn({
        proofs: [{ method: 'token', token }],
        scope: { kind: 'project', project: { id: usual.id } },
      });
      return settled.token;
    } catch (error) {
      // The project was disabled, or the role in it removed, just now.
      if (error instanceof InvalidCredentialsError) return token;
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

  /** Whatever calls it is good for; null: it is not good. */
  private async sessionOf(token: string): Promise<Session | null> {
    try {
      return await this.tokens.session(token);
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return null;
      throw error;
    }
  }
}

/** Whether the user acts where a new sign-in would put it, as far as that can be told without looking. */
function isSettled({ applicationCredential, scope, user }: Session): boolean {
  if (applicationCredential) return true;
  return scope.kind === 'project' && (user.defaultProjectId ?? scope.project.id) === scope.project.id;
}
