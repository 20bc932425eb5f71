import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { BootstrapService } from '../../../src/bootstrap/index.js';
import {
  ApplicationCredentialsService,
  IdentityService,
  SignInService,
  TokensService,
  UsersService,
} from '../../../src/modules/identity/index.js';
import { eventually } from '../../support/eventually.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { identityApp } from './identity-app.js';

const FILE = `
projects: [{name: alpha}, {name: beta}]
users:
  - {name: alice, password: s3cret-alice, default_project: alpha, roles: [{project: alpha, role: member}]}
`;

type Process = Awaited<ReturnType<typeof identityApp>>;

describe('tokens', () => {
  let database: TestDatabase;
  let sql: pg.Client;
  let folder: string;
  let here: Process;
  let elsewhere: Process;

  beforeAll(async () => {
    database = await testDatabase();
    folder = await mkdtemp(join(tmpdir(), 'kiln-identity-'));
    await writeFile(join(folder, 'bootstrap.yaml'), FILE);
    const env = { KILN_DATA_DIR: folder, KILN_BOOTSTRAP_FILE: join(folder, 'bootstrap.yaml') };
    here = await identityApp(database.url, env);
    elsewhere = await identityApp(database.url, env);
    await here.app.get(BootstrapService).apply();
    sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
  });

  afterEach(async () => {
    // Whatever a test took away.
    await sql.query(`UPDATE users SET enabled = true; UPDATE projects SET enabled = true`);
    await sql.query(
      `INSERT INTO role_assignments SELECT u.id, p.id, 'member' FROM users u, projects p
       WHERE u.name = 'alice' AND p.name = 'alpha' ON CONFLICT DO NOTHING`,
    );
  });

  afterAll(async () => {
    await sql?.end();
    await here?.app.close();
    await elsewhere?.app.close();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const CALL = { service: 'image', method: 'GET', paths: ['/v2/images'], serviceToken: null, lenient: false };

  function signIn(password = 's3cret-alice', at = here) {
    const user = { name: 'alice', domain: { id: 'default' } };
    return at.app.get(SignInService).signIn({
      proofs: [{ method: 'password', user, password }],
      scope: { kind: 'default' },
    });
  }

  function authenticate(at: Process, token: string) {
    return at.app.get(IdentityService).authenticate(token, CALL);
  }

  const refused = { kind: 'unauthenticated' };

  it('are kept as hashes only', async () => {
    const { token } = await signIn();

    const { rows } = await sql.query<{ row: string }>('SELECT tokens::text AS row FROM tokens');
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.some(({ row }) => row.includes(token))).toBe(false);
    const hex = Buffer.from(token).toString('hex');
    expect(rows.some(({ row }) => row.includes(hex))).toBe(false);
    expect(token).toMatch(/^[\w-]{43}$/);
  });

  it('name user, project and roles in every process', async () => {
    const { token } = await signIn();

    const actor = await authenticate(elsewhere, token);
    expect(actor).toMatchObject({ kind: 'user', name: 'alice', projectName: 'alpha' });
    expect([...actor.roles].sort()).toEqual(['member', 'reader']);
  });

  it('cost no database trip while they are remembered', async () => {
    const { token, session } = await signIn();
    await authenticate(here, token);
    await sql.query('DELETE FROM tokens WHERE audit_ids[1] = $1', [session.auditIds[0]]);

    // Nothing but memory can know this token now.
    for (let count = 0; count < 1_000; count += 1) {
      expect(await authenticate(here, token)).toMatchObject({ name: 'alice' });
    }
  });

  it('die at once where they are revoked, and within five seconds elsewhere', async () => {
    const { token, session } = await signIn();
    await authenticate(elsewhere, token);

    await here.app.get(TokensService).revoke(session, token);

    await expect(authenticate(here, token)).rejects.toMatchObject(refused);
    await eventually(() => expect(authenticate(elsewhere, token)).rejects.toMatchObject(refused), 10_000);
  });

  it.each([
    ['its user is disabled', `UPDATE users SET enabled = false WHERE name = 'alice'`],
    ['its project is disabled', `UPDATE projects SET enabled = false WHERE name = 'alpha'`],
    ['the last role in its project is taken away', `DELETE FROM role_assignments`],
  ])('die within five seconds when %s', async (_what, statement) => {
    const { token } = await signIn();
    await authenticate(here, token);

    await sql.query(statement);

    await eventually(() => expect(authenticate(here, token)).rejects.toMatchObject(refused), 10_000);
  });

  it('end when their time is over, however well they are remembered', async () => {
    const { token } = await signIn();
    await authenticate(here, token);

    here.clock.forward(3_600_000);

    await expect(authenticate(here, token)).rejects.toMatchObject(refused);
  });

  it('can be asked about for two days after their end, and are swept then', async () => {
    const { token } = await signIn('s3cret-alice', here);
    here.clock.forward(3_600_000 + 2 * 24 * 3_600_000 - 60_000);
    const { session } = await signIn();
    const tokens = here.app.get(TokensService);
    await here.app.get(IdentityService).sweep();
    await expect(tokens.inspect(session, token, true)).resolves.toMatchObject({ user: { name: 'alice' } });
    await expect(tokens.inspect(session, token)).rejects.toMatchObject({ kind: 'not_found' });

    here.clock.forward(120_000);
    await expect(tokens.inspect(session, token, true)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(here.app.get(IdentityService).sweep()).resolves.toBeGreaterThan(0);
    await expect(here.app.get(IdentityService).sweep()).resolves.toBe(0);
  });

  it('keep their end and name their parent when they are made from another one', async () => {
    const first = await signIn();
    here.clock.forward(60_000);

    const second = await here.app.get(SignInService).signIn({
      proofs: [{ method: 'token', token: first.token }],
      scope: { kind: 'unscoped' },
    });

    expect(second.session.expiresAt).toEqual(first.session.expiresAt);
    expect(second.session.methods).toEqual(['token', 'password']);
    expect(second.session.auditIds[1]).toBe(first.session.auditIds[0]);
    expect(second.session).toMatchObject({ scope: { kind: 'unscoped' }, roles: [], actor: { projectId: null } });
  });

  it('go with the application credential that they come from, and never outlive it', async () => {
    const { session } = await signIn();
    const credentials = here.app.get(ApplicationCredentialsService);
    const expiresAt = new Date(here.clock.now().getTime() + 60_000);
    const { credential, secret } = await credentials.create(session, session.user.id, {
      name: 'short',
      description: null,
      unrestricted: false,
      expiresAt,
      accessRules: [],
    });
    const made = await here.app.get(SignInService).signIn({
      proofs: [{ method: 'application_credential', credential: { id: credential.id }, secret }],
      scope: { kind: 'default' },
    });
    expect(made.session.expiresAt).toEqual(expiresAt);

    await credentials.remove(session, session.user.id, credential.id);

    await expect(authenticate(here, made.token)).rejects.toMatchObject(refused);
  });

  it('of an old password end with it', async () => {
    const { token, session } = await signIn();

    await here.app.get(UsersService).changePassword(session, session.user.id, 's3cret-alice', 'another');

    await expect(authenticate(here, token)).rejects.toMatchObject(refused);
    await expect(signIn('s3cret-alice')).rejects.toMatchObject(refused);
    const again = await signIn('another');
    await here.app.get(UsersService).changePassword(again.session, session.user.id, 'another', 's3cret-alice');
  });

  /** What comes of `work`, when `statement` commits once it has to wait for that. */
  async function whileChanging<T>(statement: string, values: unknown[], work: () => Promise<T>) {
    const observer = new pg.Client({ connectionString: database.url });
    await observer.connect();
    await sql.query('BEGIN');
    try {
      await sql.query(statement, values);
      const outcome = Promise.allSettled([work()]);
      await eventually(async () => {
        const { rowCount } = await observer.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        expect(rowCount).toBe(1);
      }, 10_000);
      await sql.query('COMMIT');
      return (await outcome)[0];
    } finally {
      await sql.query('ROLLBACK');
      await observer.end();
    }
  }

  it('are not made for a password that is changed while it is compared', async () => {
    const { rows } = await sql.query(`SELECT password_hash FROM users WHERE name = 'alice'`);
    const hash = (rows as { password_hash: string }[])[0]!.password_hash;

    const outcome = await whileChanging(`UPDATE users SET password_hash = 'x' WHERE name = 'alice'`, [], () =>
      signIn(),
    );

    await sql.query(`UPDATE users SET password_hash = $1 WHERE name = 'alice'`, [hash]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
  });

  function rescope(token: string, at: Process) {
    return at.app.get(SignInService).signIn({ proofs: [{ method: 'token', token }], scope: { kind: 'unscoped' } });
  }

  it('are not made from one that is ended meanwhile, nor from one that another process has ended', async () => {
    const [first, second] = [await signIn(), await signIn()];
    await authenticate(elsewhere, second.token);

    const outcome = await whileChanging(
      'UPDATE tokens SET revoked_at = now() WHERE audit_ids[1] = $1',
      [first.session.auditIds[0]],
      () => rescope(first.token, elsewhere),
    );
    await here.app.get(TokensService).revoke(second.session, second.token);

    expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
    await expect(rescope(second.token, elsewhere)).rejects.toMatchObject(refused);
  });

  it('let one of two password changes win when both come at once', async () => {
    const { session } = await signIn();
    const users = here.app.get(UsersService);

    const changes = await Promise.allSettled(
      ['one', 'two'].map((password) => users.changePassword(session, session.user.id, 's3cret-alice', password)),
    );

    expect(changes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const won = changes[0]!.status === 'fulfilled' ? 'one' : 'two';
    const again = await signIn(won);
    await users.changePassword(again.session, session.user.id, won, 's3cret-alice');
  });

  it('are not needed for a project that is open', async () => {
    const identity = here.app.get(IdentityService);

    const actor = await identity.actorInProject('alpha');

    expect(actor).toMatchObject({ name: 'anonymous', projectName: 'alpha' });
    expect(actor.isAdmin).toBe(false);
    await expect(identity.actorInProject(actor.projectId!)).resolves.toMatchObject({ projectId: actor.projectId });
    await expect(identity.actorInProject('nowhere')).rejects.toMatchObject({ kind: 'not_found' });
  });
});
