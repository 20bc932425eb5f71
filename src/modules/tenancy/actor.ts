export const ROLES = ['admin', 'member', 'reader', 'service'] as const;
export type Role = (typeof ROLES)[number];

const IMPLIED: Readonly<Record<Role, readonly Role[]>> = {
  admin: ['admin', 'member', 'reader'],
  member: ['member', 'reader'],
  reader: ['reader'],
  service: ['service'],
};

/** A role and every role it implies: admin ⊃ member ⊃ reader. */
export function withImplied(roles: Iterable<Role>): ReadonlySet<Role> {
  return new Set([...roles].flatMap((role) => IMPLIED[role]));
}

interface ActorFields {
  readonly kind: 'user' | 'system';
  readonly id: string;
  readonly name: string;
  /** The project the credential is scoped to; null: none, so no right to anything a project owns. */
  readonly projectId: string | null;
  readonly projectName: string | null;
  readonly roles: ReadonlySet<Role>;
}

/** On whose behalf something is done. Decided once a request, from any credential; the first argument of every use case. */
export class Actor {
  readonly kind: 'user' | 'system';
  readonly id: string;
  readonly name: string;
  readonly projectId: string | null;
  readonly projectName: string | null;
  readonly roles: ReadonlySet<Role>;

  private constructor(fields: ActorFields) {
    this.kind = fields.kind;
    this.id = fields.id;
    this.name = fields.name;
    this.projectId = fields.projectId;
    this.projectName = fields.projectName;
    this.roles = fields.roles;
  }

  /** A user in (at most) one project; implied roles are added. */
  static user(fields: {
    id: string;
    name: string;
    projectId: string | null;
    projectName: string | null;
    roles: Iterable<Role>;
  }): Actor {
    return new Actor({ kind: 'user', ...fields, roles: withImplied(fields.roles) });
  }

  /** Kiln itself, working on a project's (or nobody's) behalf; `reason` is what the audit shows. */
  static system(reason: string, projectId: string | null = null): Actor {
    return new Actor({
      kind: 'system',
      id: `system:${reason}`,
      name: reason,
      projectId,
      projectName: null,
      roles: withImplied(['admin']),
    });
  }

  /** Administrator of the deployment, whatever project the credential is scoped to. */
  get isAdmin(): boolean {
    return this.roles.has('admin');
  }

  /** Whether the actor has a role in its own project. */
  has(role: Role): boolean {
    return this.projectId !== null && this.roles.has(role);
  }

  /** Whether the actor may read what a project owns: as a reader of it, or as administrator. */
  mayRead(projectId: string | null): boolean {
    return this.isAdmin || this.hasIn(projectId, 'reader');
  }

  /** Whether the actor may change what a project owns: as a member of it, or as administrator. */
  mayChange(projectId: string | null): boolean {
    return this.isAdmin || this.hasIn(projectId, 'member');
  }

  private hasIn(projectId: string | null, role: Role): boolean {
    return projectId !== null && this.projectId === projectId && this.roles.has(role);
  }
}
