import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import {
  AccessKeysService,
  AccessKeyTakenError,
  InvalidAccessKeyError,
  type PreparedPassword,
  UsersService,
  UserTakenError,
} from '../modules/identity/index.js';
import {
  Ledger,
  type Limits,
  type Project,
  ProjectNameTakenError,
  ProjectsService,
  QUANTITIES,
} from '../modules/tenancy/index.js';
import { Database } from '../platform/database/database.js';
import { type BootstrapFile, type FileUser, readBootstrapFile } from './bootstrap-file.js';
import { CloudsFile } from './clouds-file.js';

/** What main tells the person who started Kiln. */
export interface BootstrapOutcome {
  /** Where the credentials are: a path, or a sentence. */
  readonly credentials: string;
  /** Of `admin`, when it was made just now. */
  readonly newPassword?: string;
}

/** The bootstrap file cannot be applied; nothing was changed. */
export class BootstrapFileError extends Error {
  /** @param problems every one of them, one a line */
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'BootstrapFileError';
  }
}

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock bootstraps. */
const BOOTSTRAP_LOCK = 5_497_854;

const FIRST_PROJECT = 'default';
const FIRST_USER = 'admin';

/** Makes the projects and users that a Kiln starts with: those of the bootstrap file, or one of each. */
@Injectable()
export class BootstrapService {
  private readonly clouds: CloudsFile;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly projects: ProjectsService,
    private readonly users: UsersService,
    private readonly accessKeys: AccessKeysService,
    private readonly ledger: Ledger,
  ) {
    this.clouds = new CloudsFile(join(config.dataDir, 'clouds.yaml'));
  }

  /**
   * Brings the database to what is declared. Repeatable; any number of processes may call it at once.
   * @throws BootstrapFileError
   */
  async apply(): Promise<BootstrapOutcome> {
    const { bootstrapFile, keystone } = this.config;
    if (bootstrapFile !== undefined) await this.applyFile(bootstrapFile);
    if (keystone) return { credentials: `the users of the Keystone at ${keystone.publicUrl}` };
    if (bootstrapFile !== undefined) return { credentials: `the users of ${bootstrapFile}` };
    // Where a worker runs, nobody looks for a password.
    if (this.config.role === 'worker') return { credentials: 'made by the API process' };
    return this.firstStart();
  }

  private async applyFile(path: string): Promise<void> {
    const { file, problems } = await readFileAt(path);
    const outside = await this.findOutsideProjects(file);
    const all = [...problems, ...outside.problems, ...(this.config.keystone ? notForKeystone(file) : [])];
    if (all.length > 0) throw new BootstrapFileError(all.map((problem) => `${path}: ${problem}`));
    const passwords = await this.preparePasswords(file.users);
    try {
      await this.exclusively(() => this.declare(file, outside.found, passwords));
    } catch (error) {
      if (error instanceof AccessKeyTakenError || error instanceof InvalidAccessKeyError) {
        throw new BootstrapFileError([`${path}: ${error.message}`]);
      }
      if (!(error instanceof ProjectNameTakenError || error instanceof UserTakenError)) throw error;
      throw new BootstrapFileError([`${path}: ${error.message}, with another id than the file says`]);
    }
  }

  /** Roles may be given in projects that were not made by the file. */
  private async findOutsideProjects(file: BootstrapFile) {
    const found = new Map<string, Project>();
    const problems: string[] = [];
    for (const { path, project: name } of file.outsideProjects) {
      const project = (await this.projects.find(name)) ?? (await this.projects.findByName(name));
      if (project) found.set(name, project);
      else problems.push(`${path}: there is no project ${JSON.stringify(name)}`);
    }
    return { found, problems };
  }

  /** The slow part comes first, so that the transaction is short. */
  private async preparePasswords(users: readonly FileUser[]): Promise<Map<FileUser, PreparedPassword>> {
    const prepared = new Map<FileUser, PreparedPassword>();
    for (const user of users) {
      if (user.password !== undefined) prepared.set(user, await this.users.preparePassword(user, user.password));
    }
    return prepared;
  }

  private async declare(
    file: BootstrapFile,
    outside: ReadonlyMap<string, Project>,
    passwords: ReadonlyMap<FileUser, PreparedPassword>,
  ): Promise<void> {
    const known = new Map(outside);
    if (file.defaultLimits) await this.declareDefaults(file.defaultLimits);
    for (const declared of file.projects) {
      const project = await this.projects.declare(declared);
      known.set(project.name, project).set(project.id, project);
    }
    const idOf = (project: string): string => known.get(project)!.id;
    for (const user of file.users) {
      const { id: userId } = await this.users.declare({
        id: user.id,
        name: user.name,
        email: user.email,
        description: user.description,
        enabled: user.enabled,
        defaultProjectId: user.defaultProject && idOf(user.defaultProject),
        password: passwords.get(user),
        roles: user.roles?.map(({ project, role }) => ({ projectId: idOf(project), role })),
      });
      for (const { project, access, secret } of user.accessKeys ?? []) {
        await this.accessKeys.declare(userId, idOf(project), { access, secret });
      }
    }
  }

  private async declareDefaults(limits: Limits): Promise<void> {
    const found = await this.ledger.defaultLimits();
    for (const quantity of QUANTITIES) {
      const wanted = limits[quantity] ?? null;
      if (wanted !== (found[quantity] ?? null)) await this.ledger.setDefaultLimit(quantity, wanted);
    }
  }

  private async firstStart(): Promise<BootstrapOutcome> {
    const authUrl = `${publicAddress(this.config)}/identity/v3`;
    // A start that died after writing the file and before the commit left its password there.
    const password = (await this.clouds.password(FIRST_USER)) ?? randomBytes(18).toString('base64url');
    const prepared = (await this.users.any()) ? null : await this.users.preparePassword({ name: FIRST_USER }, password);
    const made = prepared !== null && (await this.exclusively(() => this.makeFirstUser(authUrl, prepared)));
    if (made) return { credentials: this.clouds.path, newPassword: password };
    await this.clouds.refresh(authUrl, this.config.region);
    return { credentials: await this.describeCredentials() };
  }

  /** False when another process was faster. */
  private async makeFirstUser(authUrl: string, password: PreparedPassword): Promise<boolean> {
    if (await this.users.any()) return false;
    const project = await this.projects.declare({ name: FIRST_PROJECT });
    await this.users.declare({
      name: FIRST_USER,
      defaultProjectId: project.id,
      password,
      roles: [
        { projectId: project.id, role: 'admin' },
        { projectId: project.id, role: 'member' },
      ],
    });
    // Before the commit: a password that is nowhere to be found would lock everybody out.
    await this.clouds.write({
      authUrl,
      region: this.config.region,
      username: FIRST_USER,
      password: password.password,
      project: FIRST_PROJECT,
    });
    return true;
  }

  private async describeCredentials(): Promise<string> {
    const { path } = this.clouds;
    const password = await this.clouds.password(FIRST_USER);
    if (!(await this.users.findByName(FIRST_USER))) {
      return 'known to the users (declared by a bootstrap file earlier)';
    }
    if (password === null) {
      return (
        `lost: ${path} is missing, and of passwords Kiln keeps only hashes. Sign in with the password that was shown at ` +
        `the first start, or name a new one for ${FIRST_USER} in a KILN_BOOTSTRAP_FILE`
      );
    }
    if (await this.users.hasPassword(FIRST_USER, password)) return path;
    return `${path}, but the password of ${FIRST_USER} has been changed since`;
  }

  /** One process at a time, all or nothing. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.database.transaction(async () => {
      await this.database.query('SELECT pg_advisory_xact_lock($1)', [BOOTSTRAP_LOCK]);
      return work();
    });
  }
}

async function readFileAt(path: string) {
  try {
    return readBootstrapFile(await readFile(path, 'utf8'));
  } catch (error) {
    throw new BootstrapFileError([`the bootstrap file ${path} cannot be read: ${(error as Error).message}`]);
  }
}

/** What a file says that only holds where Kiln knows the users itself. */
function notForKeystone(file: BootstrapFile): string[] {
  return [
    ...(file.users.length > 0 ? ['users: they are those of the Keystone that KILN_KEYSTONE_URL names'] : []),
    ...file.projects.flatMap(({ id }, at) =>
      id === undefined ? [`projects[${at}]: the key id is missing; Keystone knows the project by it`] : [],
    ),
  ];
}

/** Where clients on this machine reach Kiln, unless it is configured. Nobody can connect to "any address". */
function publicAddress({ http }: Config): string {
  if (http.publicUrl !== undefined) return http.publicUrl;
  if (http.host === '0.0.0.0' || http.host === '::') return `http://localhost:${http.port}`;
  return `http://${http.host.includes(':') ? `[${http.host}]` : http.host}:${http.port}`;
}
