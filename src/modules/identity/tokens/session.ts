import type { Actor, Project, Role } from '../../tenancy/index.js';
import type { AccessRule } from '../application-credentials/access-rules.js';
import type { Domain } from '../domains.js';

/** What a token is good for. */
export type Scope =
  | { readonly kind: 'project'; readonly project: Project }
  | { readonly kind: 'domain'; readonly domain: Domain }
  | { readonly kind: 'system' }
  | { readonly kind: 'unscoped' };

export type ScopeKind = Scope['kind'];

/** A good token with all that it stands for, as of a few seconds ago at most. */
export interface Session {
  readonly user: {
    readonly id: string;
    readonly name: string;
    readonly domain: Domain;
    /** Where the user acts who names no project; null: nothing is known of one. */
    readonly defaultProjectId: string | null;
  };
  readonly scope: Scope;
  /** Implied ones included, strongest first; none when unscoped. */
  readonly roles: readonly Role[];
  readonly methods: readonly string[];
  /** The token's own, then its parent's if it was made from another token. */
  readonly auditIds: readonly string[];
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly applicationCredential: {
    readonly id: string;
    readonly name: string;
    readonly unrestricted: boolean;
    /** The calls that the token is good for; null: all. */
    readonly accessRules: readonly AccessRule[] | null;
  } | null;
  /** The same as the domain's use cases want it. */
  readonly actor: Actor;
}
