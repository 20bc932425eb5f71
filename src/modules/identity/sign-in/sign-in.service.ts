import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { type Project, ProjectsService, type Role, withImplied } from '../../tenancy/index.js';
import {
  ApplicationCredentialsRepository,
  type ApplicationCredentialWithSecret,
} from '../application-credentials/application-credentials.repository.js';
import { type DomainReference, findDomain } from '../domains.js';
import { InvalidCredentialsError, TokenNotRescopableError } from '../identity.errors.js';
import { PasswordHasher } from './password-hasher.js';
import { type IssuedToken, type IssueToken, TokensService } from '../tokens/tokens.service.js';
import { PASSWORD_MAXIMUM_LENGTH } from '../users/users.service.js';
import { UsersRepository, type UserWithPassword } from '../users/users.repository.js';

/** How a client names a user or a project: names belong to a domain. */
export type NameOrId = { readonly id: string } | { readonly name: string; readonly domain: DomainReference };

/** One thing that a client shows to prove who it is. */
export type Proof =
  | { readonly method: 'password'; readonly user: NameOrId; readonly password: string }
  | { readonly method: 'token'; readonly token: string }
  | {
      readonly method: 'application_credential';
      readonly credential: { readonly id: string } | { readonly name: string; readonly user: NameOrId };
      readonly secret: string;
    };

/** What the token is wanted for. */
export type WantedScope =
  | { readonly kind: 'project'; readonly project: NameOrId }
  | { readonly kind: 'domain'; readonly domain: DomainReference }
  | { readonly kind: 'system' }
  | { readonly kind: 'unscoped' }
  | { readonly kind: 'default' };

/** Every proof must show the same user. */
export interface SignIn {
  readonly proofs: readonly Proof[];
  readonly scope: WantedScope;
}

/** The methods that `SignIn` knows, as they are named on the wire. */
export const SIGN_IN_METHODS = ['password', 'token', 'application_credential'] as const;

/** What one proof showed. */
interface Shown {
  readonly userId: string;
  readonly methods: readonly string[];
  readonly passwordHash?: string | null;
  readonly parent?: IssuedToken;
  readonly credential?: ApplicationCredentialWithSecret;
}

/** Makes tokens from passwords, from other tokens and from application credentials. */
@Injectable()
export class SignInService {
  constructor(
    private readonly users: UsersRepository,
    private readonly credentials: ApplicationCredentialsRepository,
    private readonly projects: ProjectsService,
    private readonly tokens: TokensService,
    private readonly hasher: PasswordHasher,
    private readonly clock: Clock,
  ) {}

  /**
   * Signs in.
   *
   * @throws InvalidCredentialsError for every reason alike
   * @throws TokenNotRescopableError from a token of an application credential
   * @throws SignInBusyError too many others sign in
   */
  async signIn(request: SignIn): Promise<IssuedToken> {
    const shown: Shown[] = [];
    for (const proof of request.proofs) shown.push(await this.check(proof));
    const first = shown[0];
    if (!first || shown.some(({ userId }) => userId !== first.userId)) throw new InvalidCredentialsError();
    const user = await this.users.find(first.userId);
    if (!user?.enabled) throw new InvalidCredentialsError();
    const credential = shown.find((one) => one.credential)?.credential;
    const parent = shown.find((one) => one.parent)?.parent;
    const place = credential
      ? await this.placeOfCredential(credential, request.scope)
      : await this.place(user, request.scope);
    return this.tokens.issue({
      userId: user.id,
      ...place,
      methods: [...new Set(shown.flatMap(({ methods }) => methods))],
      applicationCredentialId: credential?.id,
      notAfter: parent?.session.expiresAt ?? credential?.expiresAt,
      passwordHash: shown.find((one) => one.passwordHash !== undefined)?.passwordHash,
      parent,
    });
  }

  /**
   * The project in which a user acts who names none: its default one, else the only one that it has. Null: none, or only
   * disabled ones.
   */
  async usualProject(userId: string): Promise<Project | null> {
    const user = await this.users.find(userId);
    const usual = user?.defaultProjectId ? await this.projects.find(user.defaultProjectId) : null;
    if (usual && (await this.mayEnter(userId, usual))) return usual;
    const [only, more] = await this.users.projectIds(userId, 2);
    const project = only !== undefined && more === undefined ? await this.projects.find(only) : null;
    return project?.enabled ? project : null;
  }

  private check(proof: Proof): Promise<Shown> {
    switch (proof.method) {
      case 'password':
        return this.checkPassword(proof.user, proof.password);
      case 'token':
        return this.checkToken(proof.token);
      case 'application_credential':
        return this.checkCredential(proof.credential, proof.secret);
    }
  }

  private async checkPassword(reference: NameOrId, password: string): Promise<Shown> {
    const user = await this.findUser(reference);
    const right = await this.verify(password, user?.passwordHash ?? null);
    if (!user || !right) throw new InvalidCredentialsError();
    return { userId: user.id, methods: ['password'], passwordHash: user.passwordHash };
  }

  private async checkToken(token: string): Promise<Shown> {
    const session = await this.tokens.freshSession(token);
    if (session.applicationCredential) throw new TokenNotRescopableError();
    return { userId: session.user.id, methods: ['token', ...session.methods], parent: { token, session } };
  }

  private async checkCredential(
    reference: { id: string } | { name: string; user: NameOrId },
    secret: string,
  ): Promise<Shown> {
    const credential = await this.findCredential(reference);
    const right = await this.verify(secret, credential?.secretHash ?? null);
    if (!credential || !right) throw new InvalidCredentialsError();
    if (credential.expiresAt && credential.expiresAt <= this.clock.now()) throw new InvalidCredentialsError();
    return { userId: credential.userId, methods: ['application_credential'], credential };
  }

  private verify(secret: string, hash: string | null): Promise<boolean> {
    return this.hasher.verify(secret, secret.length > PASSWORD_MAXIMUM_LENGTH ? null : hash);
  }

  private async findUser(reference: NameOrId): Promise<UserWithPassword | null> {
    if ('id' in reference) return this.users.find(reference.id);
    const domain = findDomain(reference.domain);
    return domain && this.users.findByName(reference.name, domain.id);
  }

  private async findCredential(
    reference: { id: string } | { name: string; user: NameOrId },
  ): Promise<ApplicationCredentialWithSecret | null> {
    if ('id' in reference) return this.credentials.find(reference.id);
    const user = await this.findUser(reference.user);
    return user && this.credentials.findByName(user.id, reference.name);
  }

  private async place(user: UserWithPassword, scope: WantedScope): Promise<Pick<IssueToken, 'scope' | 'projectId'>> {
    switch (scope.kind) {
      case 'project': {
        const project = await this.findProject(scope.project);
        if (!project || !(await this.mayEnter(user.id, project))) throw new InvalidCredentialsError();
        return { scope: 'project', projectId: project.id };
      }
      case 'domain':
        if (!findDomain(scope.domain)) throw new InvalidCredentialsError();
        return this.placeOfAdmin(user, 'domain');
      case 'system':
        return this.placeOfAdmin(user, 'system');
      case 'unscoped':
        return { scope: 'unscoped', projectId: null };
      case 'default':
        return this.defaultPlace(user);
    }
  }

  /** Kiln's administrators are those of the deployment, wherever their role was given. */
  private async placeOfAdmin(user: UserWithPassword, scope: 'domain' | 'system') {
    if (!(await this.users.isAdminAnywhere(user.id))) throw new InvalidCredentialsError();
    return { scope, projectId: null };
  }

  private async defaultPlace(user: UserWithPassword): Promise<Pick<IssueToken, 'scope' | 'projectId'>> {
    const project = user.defaultProjectId ? await this.projects.find(user.defaultProjectId) : null;
    return project && (await this.mayEnter(user.id, project))
      ? { scope: 'project', projectId: project.id }
      : { scope: 'unscoped', projectId: null };
  }

  private async placeOfCredential(
    credential: ApplicationCredentialWithSecret,
    scope: WantedScope,
  ): Promise<Pick<IssueToken, 'scope' | 'projectId'>> {
    const project = await this.projects.find(credential.projectId);
    const allowed = project && (await this.mayEnter(credential.userId, project, credential.roles));
    if (scope.kind !== 'default' || !allowed) throw new InvalidCredentialsError();
    return { scope: 'project', projectId: project.id };
  }

  /** Whether the user has a role in the project; with `among`, one of these (or one that implies it). */
  private async mayEnter(userId: string, project: Project, among?: readonly Role[]): Promise<boolean> {
    if (!project.enabled) return false;
    const roles = withImplied(await this.users.roles(userId, project.id));
    return among ? among.some((role) => roles.has(role)) : roles.size > 0;
  }

  private async findProject(reference: NameOrId): Promise<Project | null> {
    if ('id' in reference) return this.projects.find(reference.id);
    const domain = findDomain(reference.domain);
    return domain && this.projects.findByName(reference.name, domain.id);
  }
}
