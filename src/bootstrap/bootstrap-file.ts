import { LineCounter, parseDocument } from 'yaml';
import { type Limits, QUANTITIES, type Quantity, type Role, ROLES } from '../modules/tenancy/index.js';

/** A project as the file declares it. */
export interface FileProject {
  readonly name: string;
  readonly id?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  readonly limits?: Limits;
}

/** A user as the file declares it; projects by name or id. */
export interface FileUser {
  readonly name: string;
  readonly id?: string;
  readonly password?: string;
  readonly email?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  readonly defaultProject?: string;
  readonly roles?: readonly { readonly project: string; readonly role: Role }[];
  readonly accessKeys?: readonly { readonly project: string; readonly access: string; readonly secret: string }[];
}

/** A place in the file that names a project which the file itself does not declare. */
export interface OutsideProject {
  readonly path: string;
  readonly project: string;
}

/** What a bootstrap file says. */
export interface BootstrapFile {
  readonly projects: readonly FileProject[];
  readonly users: readonly FileUser[];
  /** What holds for projects without limits of their own; given: exactly these. */
  readonly defaultLimits?: Limits;
  readonly outsideProjects: readonly OutsideProject[];
}

/** The file's content as far as it could be read, and everything that is wrong with it. */
export interface ReadBootstrapFile {
  readonly file: BootstrapFile;
  readonly problems: readonly string[];
}

/** Ids that every face can show; Compute paths allow nothing else. */
const ID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const PROJECT_NAME_LENGTH = 64;
const USER_NAME_LENGTH = 255;
const TEXT_LENGTH = 4_096;

type Members = Readonly<Record<string, unknown>>;

/** Stands for what should have been a map; that it is none was said already. */
const NO_MAP: Members = {};

/** Reads a bootstrap file; never throws: all problems come at once, each with the path of what is wrong. */
export function readBootstrapFile(text: string): ReadBootstrapFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map((fault) => `line ${lines.linePos(fault.pos[0]).line}: ${fault.message}`);
    return { file: { projects: [], users: [], outsideProjects: [] }, problems };
  }
  return new FileReader().read(toPlain(document));
}

function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    // A file of nothing but comments declares nothing.
    return document.toJS() ?? {};
  } catch (error) {
    // Aliases that refer to too much.
    return error;
  }
}

class FileReader {
  private readonly problems: string[] = [];

  read(content: unknown): ReadBootstrapFile {
    const top = this.members(content, '', ['projects', 'users', 'default_limits']);
    const projects = this.list(top.projects, 'projects').map((value, at) => this.project(value, `projects[${at}]`));
    const users = this.list(top.users, 'users').map((value, at) => this.user(value, `users[${at}]`));
    this.refuseDuplicates(projects, 'projects', 'name');
    this.refuseDuplicates(projects, 'projects', 'id');
    this.refuseDuplicates(users, 'users', 'name');
    this.refuseDuplicates(users, 'users', 'id');
    this.refuseDuplicates(
      users.flatMap((user) => user.accessKeys ?? []),
      'access_keys',
      'access',
    );
    const defaultLimits = 'default_limits' in top ? this.limits(top.default_limits, 'default_limits') : undefined;
    const file = { projects, users, defaultLimits, outsideProjects: outsideProjects(projects, users) };
    return { file, problems: this.problems };
  }

  private project(value: unknown, path: string): FileProject {
    const members = this.members(value, path, ['name', 'id', 'description', 'enabled', 'limits']);
    return {
      name: this.name(members, path, PROJECT_NAME_LENGTH),
      id: this.id(members, path),
      description: this.text(members, path, 'description', { empty: true }),
      enabled: this.flag(members, path, 'enabled'),
      limits: 'limits' in members ? this.limits(members.limits, `${path}.limits`) : undefined,
    };
  }

  private user(value: unknown, path: string): FileUser {
    const known = [
      'name',
      'id',
      'password',
      'email',
      'description',
      'enabled',
      'default_project',
      'roles',
      'access_keys',
    ];
    const members = this.members(value, path, known);
    return {
      name: this.name(members, path, USER_NAME_LENGTH),
      id: this.id(members, path),
      password: this.text(members, path, 'password'),
      email: this.text(members, path, 'email'),
      description: this.text(members, path, 'description', { empty: true }),
      enabled: this.flag(members, path, 'enabled'),
      defaultProject: this.text(members, path, 'default_project'),
      roles: 'roles' in members ? this.roles(members.roles, `${path}.roles`) : undefined,
      accessKeys: 'access_keys' in members ? this.accessKeys(members.access_keys, `${path}.access_keys`) : undefined,
    };
  }

  private roles(value: unknown, path: string): { project: string; role: Role }[] {
    return this.list(value, path).flatMap((element, at) => {
      const members = this.members(element, `${path}[${at}]`, ['project', 'role']);
      const project = this.required(members, `${path}[${at}]`, 'project');
      const role = this.required(members, `${path}[${at}]`, 'role');
      if (role !== undefined && !(ROLES as readonly string[]).includes(role)) {
        this.problem(`${path}[${at}].role`, `${JSON.stringify(role)} is not a role; roles are ${ROLES.join(', ')}`);
      }
      // With a problem the file is not applied, but whether the project exists is still worth telling.
      return project === undefined ? [] : [{ project, role: role as Role }];
    });
  }

  private accessKeys(value: unknown, path: string): { project: string; access: string; secret: string }[] {
    return this.list(value, path).flatMap((element, at) => {
      const members = this.members(element, `${path}[${at}]`, ['project', 'access', 'secret']);
      const [project, access, secret] = (['project', 'access', 'secret'] as const).map((key) =>
        this.required(members, `${path}[${at}]`, key),
      );
      return project === undefined ? [] : [{ project, access: access ?? '', secret: secret ?? '' }];
    });
  }

  private limits(value: unknown, path: string): Limits {
    const members = this.members(value, path, QUANTITIES);
    const limits: Partial<Record<Quantity, number>> = {};
    for (const quantity of QUANTITIES) {
      if (!(quantity in members)) continue;
      const limit = members[quantity];
      if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 0) limits[quantity] = limit;
      else this.problem(`${path}.${quantity}`, 'must be a whole number from 0; leave it out for no limit');
    }
    return limits;
  }

  private members(value: unknown, path: string, known: readonly string[]): Members {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Error) {
      const reason = value instanceof Error ? value.message : `must be a map with the keys ${known.join(', ')}`;
      this.problem(path, reason);
      return NO_MAP;
    }
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) {
        this.problem(path === '' ? key : `${path}.${key}`, `unknown key; known are ${known.join(', ')}`);
      }
    }
    return value as Members;
  }

  private list(value: unknown, path: string): unknown[] {
    if (value == null) return [];
    if (Array.isArray(value)) return value;
    this.problem(path, 'must be a list');
    return [];
  }

  private name(members: Members, path: string, maximumLength: number): string {
    const name = this.required(members, path, 'name') ?? '';
    if (name.length > maximumLength) this.problem(`${path}.name`, `may have at most ${maximumLength} characters`);
    return name;
  }

  private id(members: Members, path: string): string | undefined {
    const id = this.text(members, path, 'id');
    if (id === undefined || ID.test(id)) return id;
    this.problem(`${path}.id`, 'must be 32 lower-case hex digits or a UUID');
    return undefined;
  }

  private required(members: Members, path: string, key: string): string | undefined {
    if (!(key in members) && members !== NO_MAP) this.problem(path, `the key ${key} is missing`);
    return this.text(members, path, key);
  }

  private text(members: Members, path: string, key: string, allow: { empty?: boolean } = {}): string | undefined {
    if (!(key in members)) return undefined;
    const value = members[key];
    const where = `${path}.${key}`;
    if (typeof value !== 'string') this.problem(where, 'must be text; put it in quotes');
    else if (value.trim() === '' && !allow.empty) this.problem(where, 'must not be empty');
    else if (value.includes('\0')) this.problem(where, 'must not contain a zero character');
    else if (value.length > TEXT_LENGTH) this.problem(where, `may have at most ${TEXT_LENGTH} characters`);
    else return value;
    return undefined;
  }

  private flag(members: Members, path: string, key: string): boolean | undefined {
    const value = members[key];
    if (!(key in members) || typeof value === 'boolean') return value as boolean | undefined;
    this.problem(`${path}.${key}`, 'must be true or false');
    return undefined;
  }

  private refuseDuplicates<Key extends 'name' | 'id' | 'access'>(
    items: readonly { readonly [K in Key]?: string }[],
    path: string,
    key: Key,
  ): void {
    const first = new Map<string, number>();
    items.forEach((item, at) => {
      const value = item[key];
      if (!value) return;
      const before = first.get(value);
      if (before === undefined) first.set(value, at);
      else this.problem(`${path}[${at}].${key}`, `${JSON.stringify(value)} is also that of ${path}[${before}]`);
    });
  }

  private problem(path: string, reason: string): void {
    this.problems.push(path === '' ? reason : `${path}: ${reason}`);
  }
}

function outsideProjects(projects: readonly FileProject[], users: readonly FileUser[]): OutsideProject[] {
  const declared = new Set(projects.flatMap(({ name, id }) => (id ? [name, id] : [name])));
  return users.flatMap((user, at) => {
    const named = [
      ...(user.defaultProject ? [{ path: `users[${at}].default_project`, project: user.defaultProject }] : []),
      ...(user.roles ?? []).map(({ project }, index) => ({ path: `users[${at}].roles[${index}].project`, project })),
      ...(user.accessKeys ?? []).map(({ project }, index) => ({
        path: `users[${at}].access_keys[${index}].project`,
        project,
      })),
    ];
    return named.filter(({ project }) => !declared.has(project));
  });
}
