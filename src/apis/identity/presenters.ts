import {
  type AccessKey,
  type AccessRule,
  type ApplicationCredential,
  type BoundedList,
  DEFAULT_DOMAIN,
  type Domain,
  domainById,
  type RoleAssignment,
  type RoleRecord,
  roleRecord,
  type Session,
  type User,
} from '../../modules/identity/index.js';
import type { Project, Role } from '../../modules/tenancy/index.js';
import type { CatalogueEntry } from './catalogue/service-catalogue.js';

/** Microseconds and Z, as Keystone writes times. */
function presentTime(time: Date): string {
  return time.toISOString().replace(/Z$/, '000Z');
}

function presentDomainReference(domain: Domain) {
  return { id: domain.id, name: domain.name };
}

/** @param base address of this face, in all of these */
export function presentVersion(base: string) {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${base}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

/** @param catalogue left out when undefined, and for tokens that have no scope */
export function presentToken(session: Session, catalogue: readonly CatalogueEntry[] | undefined) {
  const scoped = session.scope.kind !== 'unscoped';
  return {
    methods: session.methods,
    user: {
      id: session.user.id,
      name: session.user.name,
      domain: presentDomainReference(session.user.domain),
      password_expires_at: null,
    },
    audit_ids: session.auditIds,
    issued_at: presentTime(session.issuedAt),
    expires_at: presentTime(session.expiresAt),
    ...presentScope(session),
    ...(scoped ? { roles: session.roles.map(roleRecord) } : {}),
    ...(scoped && catalogue ? { catalog: catalogue } : {}),
    ...(session.applicationCredential
      ? {
          application_credential: {
            id: session.applicationCredential.id,
            name: session.applicationCredential.name,
            restricted: !session.applicationCredential.unrestricted,
            ...(session.applicationCredential.accessRules
              ? { access_rules: session.applicationCredential.accessRules }
              : {}),
          },
        }
      : {}),
  };
}

function presentScope({ scope }: Session) {
  switch (scope.kind) {
    case 'project':
      return {
        project: {
          id: scope.project.id,
          name: scope.project.name,
          domain: presentDomainReference(domainById(scope.project.domainId)),
        },
        is_domain: false,
      };
    case 'domain':
      return { domain: presentDomainReference(scope.domain) };
    case 'system':
      return { system: { all: true } };
    case 'unscoped':
      return {};
  }
}

export function presentProject(project: Project, base: string) {
  return {
    id: project.id,
    name: project.name,
    domain_id: project.domainId,
    description: project.description,
    enabled: project.enabled,
    // Projects do not nest: the parent of each is its domain.
    parent_id: project.domainId,
    is_domain: false,
    tags: [],
    options: {},
    links: { self: `${base}/v3/projects/${project.id}` },
  };
}

export function presentUser(user: User, base: string) {
  return {
    id: user.id,
    name: user.name,
    domain_id: user.domainId,
    enabled: user.enabled,
    ...(user.defaultProjectId === null ? {} : { default_project_id: user.defaultProjectId }),
    ...(user.email === null ? {} : { email: user.email }),
    ...(user.description === null ? {} : { description: user.description }),
    password_expires_at: null,
    options: {},
    links: { self: `${base}/v3/users/${user.id}` },
  };
}

export function presentDomain(domain: Domain, base: string) {
  return {
    ...domain,
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${base}/v3/domains/${domain.id}` },
  };
}

export function presentRole(role: RoleRecord, base: string) {
  return {
    id: role.id,
    name: role.name,
    domain_id: null,
    description: null,
    options: {},
    links: { self: `${base}/v3/roles/${role.id}` },
  };
}

/** @param withNames what `include_names` asks for */
export function presentAssignment(assignment: RoleAssignment, role: Role, withNames: boolean, base: string) {
  const { userId, projectId } = assignment;
  const record = roleRecord(role);
  const named = (id: string, name: string) =>
    withNames ? { id, name, domain: presentDomainReference(DEFAULT_DOMAIN) } : { id };
  return {
    role: withNames ? record : { id: record.id },
    user: named(userId, assignment.userName),
    scope: { project: named(projectId, assignment.projectName) },
    links: { assignment: `${base}/v3/projects/${projectId}/users/${userId}/roles/${roleRecord(assignment.role).id}` },
  };
}

/** @param secret shown once, to whoever made the credential */
export function presentApplicationCredential(credential: ApplicationCredential, base: string, secret?: string) {
  return {
    id: credential.id,
    name: credential.name,
    description: credential.description,
    user_id: credential.userId,
    project_id: credential.projectId,
    system: null,
    expires_at: credential.expiresAt && presentTime(credential.expiresAt),
    unrestricted: credential.unrestricted,
    roles: credential.roles.map((role) => {
      const { id, name, domain_id, description, options } = presentRole(roleRecord(role), base);
      return { id, name, domain_id, description, options };
    }),
    ...(credential.accessRules ? { access_rules: credential.accessRules } : {}),
    ...(secret === undefined ? {} : { secret }),
    links: { self: `${base}/v3/users/${credential.userId}/application_credentials/${credential.id}` },
  };
}

export function presentService({ id, type, name }: CatalogueEntry, base: string) {
  return { id, type, name, enabled: true, links: { self: `${base}/v3/services/${id}` } };
}

export function presentEndpoint(endpoint: CatalogueEntry['endpoints'][number] & { service_id: string }, base: string) {
  return { ...endpoint, enabled: true, links: { self: `${base}/v3/endpoints/${endpoint.id}` } };
}

export function presentRegion(region: string, base: string) {
  const self = `${base}/v3/regions/${encodeURIComponent(region)}`;
  return { id: region, description: '', parent_region_id: null, links: { self } };
}

export function presentAccessRule(rule: AccessRule, userId: string, base: string) {
  return { ...rule, links: { self: `${base}/v3/users/${userId}/access_rules/${rule.id}` } };
}

/** An access key in the form of the EC2 extension. */
export function presentEc2Credential(key: AccessKey, base: string) {
  return {
    access: key.access,
    secret: key.secret,
    user_id: key.userId,
    tenant_id: key.projectId,
    trust_id: null,
    links: { self: `${base}/v3/users/${key.userId}/credentials/OS-EC2/${key.access}` },
  };
}

/** An access key in the form of credentials in general. */
export function presentCredential(key: AccessKey, base: string) {
  return {
    id: key.id,
    type: 'ec2',
    blob: JSON.stringify({ access: key.access, secret: key.secret }),
    user_id: key.userId,
    project_id: key.projectId,
    links: { self: `${base}/v3/credentials/${key.id}` },
  };
}

/** A collection: Keystone's are never paged, but cut where they are too long. */
export function presentCollection<T, Plural extends string, Wire extends object>(
  plural: Plural,
  { items, truncated }: BoundedList<T>,
  present: (item: T, base: string) => Wire,
  base: string,
  path: string,
) {
  return {
    ...({ [plural]: items.map((item) => present(item, base)) } as Record<Plural, Wire[]>),
    links: { self: `${base}/v3/${path}`, next: null, previous: null },
    ...(truncated ? { truncated: true } : {}),
  };
}

/** A list that is always whole. */
export function whole<T>(items: readonly T[]): BoundedList<T> {
  return { items, truncated: false };
}
