import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { Dice } from '../../support/dice.js';
import { eventually } from '../../support/eventually.js';
import { type ImsJob, ImsUser } from '../../support/ims.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { endLeases } from '../../support/leases.js';
import { processesWith } from '../../support/processes.js';
import { describeWith } from '../../support/programs.js';
import {
  BUILD_PROGRAMS,
  diskRecipe,
  offlineRepository,
  offlineTemplate,
  recipeArchive,
} from '../../support/recipes.js';
import { startRedis, type TestRedis } from '../../support/servers/redis.js';
import { rootFilesystem } from '../../support/disks/root-filesystem.js';
import { SshUser } from '../../support/ssh.js';
import { storedObjects } from '../../support/stored-objects.js';

const RUNS = Number(process.env.KILN_TEST_CRASH_RUNS ?? 10);
const KIWI_RUNS = Number(process.env.KILN_TEST_CRASH_KIWI_RUNS ?? 0);
const SEED = Number(process.env.KILN_TEST_CRASH_SEED ?? 1);
/** How long a boundary, and then the end, may take; kiwi-ng is slow on a busy machine, and after a crash begins anew. */
const PATIENCE_MS = KIWI_RUNS > 0 ? 900_000 : 90_000;
/** More than all waits of one run together: one that went on behind its end would disturb the next. */
const RUN_MS = 2 * PATIENCE_MS + 180_000;

const PROGRAMS = [
  ...['packer', 'unsquashfs', 'mksquashfs', 'bwrap', 'sshd', 'ssh', 'ssh-keygen', 'redis-server'],
  ...(KIWI_RUNS > 0 ? BUILD_PROGRAMS : []),
];
const VICTIMS = ['builder', 'worker', 'api', 'redis'] as const;
/** Statuses at whose beginning something is killed. */
const BOUNDARIES = {
  create: ['creating', 'fetching_recipe', 'building_image', 'packaging_artifacts', 'success'],
  customize: ['creating', 'fetching_image', 'waiting_on_user', 'packaging_artifacts', 'success'],
  'create with KIWI': ['fetching_recipe', 'waiting_for_repos', 'building_image', 'packaging_artifacts', 'success'],
} as const;

interface Crash {
  readonly job: keyof typeof BOUNDARIES;
  readonly boundary: string;
  readonly victim: (typeof VICTIMS)[number];
}

/** What a run must leave as it was. */
interface Held {
  readonly storedBytes: number;
  readonly jobs: number;
  /** Objects in the store that no row knows. */
  readonly strays: readonly string[];
}

/** Every crash there is, in an order that the seed decides; over and over. */
function crashes(): Crash[] {
  const all = (['create', 'customize'] as const).flatMap((job) =>
    BOUNDARIES[job].flatMap((boundary) => VICTIMS.map((victim) => ({ job, boundary, victim }))),
  );
  const shuffled = new Dice(SEED).shuffled(all);
  const short = Array.from({ length: RUNS }, (_, index) => shuffled[index % shuffled.length]!);
  // Long, so that few are run: five meet every boundary, twenty every crash there is.
  const job = 'create with KIWI' as const;
  const boundaries = BOUNDARIES[job];
  const long = Array.from({ length: KIWI_RUNS }, (_, index) => ({
    job,
    boundary: boundaries[index % boundaries.length]!,
    victim: VICTIMS[(index + SEED) % VICTIMS.length]!,
  }));
  return [...short, ...long];
}

describeWith(PROGRAMS, 'builds in which something is killed', () => {
  let redis: TestRedis;
  let api: RunningKiln;
  let worker: RunningKiln;
  let database: pg.Client;
  let ims: ImsUser;
  let person: SshUser;
  let sources: Record<Crash['job'] | 'key', string>;
  let builds: Readonly<Record<string, string>> = {};
  /** The job of the run that is under way. */
  let current: ImsJob | undefined;

  beforeAll(async () => {
    if (KIWI_RUNS > 0) builds = { KILN_BUILD_REPOS: await offlineRepository() };
    redis = await startRedis();
    api = await startKiln({ env: settings('api') });
    worker = await startKiln({ beside: api, env: settings('worker') });
    database = new pg.Client({ connectionString: api.databaseUrl });
    await database.connect();
    ims = new ImsUser(api, await api.token('alice'));
    person = await SshUser.create();
    sources = await prepare();
  }, RUN_MS);

  // A run that failed half-way is no reason for the next one to fail.
  afterEach(async () => {
    await revive();
    if (current) await forget(current);
    current = undefined;
  }, RUN_MS);

  afterAll(async () => {
    await database?.end();
    await worker?.stop();
    await api?.stop();
    await redis?.stop();
    await person?.leave();
  }, RUN_MS);

  const settings = (role: 'api' | 'worker') => ({
    KILN_ROLE: role,
    KILN_REDIS_URL: redis.url,
    KILN_JOB_LEASE: '30s',
    KILN_SHELL_HOST: '127.0.0.1',
    KILN_SHELL_BIND: '127.0.0.1',
    KILN_LOG_LEVEL: 'info',
    ...builds,
  });

  async function prepare() {
    // The stand-in for a build that takes minutes.
    const create = await ims.recipe('crash', 'packer', diskRecipe());
    const rootfs = await rootFilesystem();
    const customize = await ims.image('crash-base', { rootfs, kernel: Buffer.from('k'), initrd: Buffer.from('i') });
    const key = await ims.key('crash', person.publicKey);
    return { create: create.id, customize: customize.id, 'create with KIWI': await prepareKiwi(), key: key.id };
  }

  async function prepareKiwi(): Promise<string> {
    if (KIWI_RUNS === 0) return '';
    const values = (await offlineTemplate('crash-kiwi')).map(({ key, value }) => [key, value] as const);
    const archive = await recipeArchive('debian-tiny');
    return (await ims.recipe('crash-kiwi', 'kiwi-ng', archive, Object.fromEntries(values))).id;
  }

  it.each(crashes().map((crash, index) => [index + 1, crash.victim, crash.job, crash.boundary, crash] as const))(
    'run %i: the %s, in %s at %s',
    async (number, _victim, _job, _boundary, crash) => {
      const before = await held();
      current = await start(`crash-${number}`, crash);
      await reaches(current, crash.boundary);

      await kill(crash, current);

      const ended = await endOf(current);
      // A builder that is killed alone takes its job with it; whatever else dies, the job is done in the end.
      if (crash.victim !== 'builder') expect(ended).toMatchObject({ status: 'success', cause: null });
      await nothingIsLeft(ended, before);
    },
    RUN_MS,
  );

  function start(name: string, { job }: Crash): Promise<ImsJob> {
    const jobType = job === 'customize' ? 'customize' : 'create';
    return ims.job({
      job_type: jobType,
      artifact_id: sources[job],
      public_key_id: sources.key,
      image_root_archive_name: name,
      ...(jobType === 'customize' ? { ssh_containers: [{ name: 'crash', jail: true }] } : {}),
    });
  }

  /** Until a status has begun, which may be over by then. People in shells are done where it comes after theirs. */
  async function reaches({ id }: ImsJob, boundary: string): Promise<void> {
    await eventually(async () => {
      const { rows } = await database.query<{ kind: string; phase: string | null }>(
        `SELECT kind, data->>'phase' AS phase FROM events WHERE noun_id = $1 ORDER BY id`,
        [id],
      );
      const words: Record<string, string> = {
        creating: 'job.created',
        success: 'job.succeeded',
        waiting_for_repos: 'waiting_for_repositories',
        waiting_on_user: 'waiting_on_user',
        building_image: 'building',
        packaging_artifacts: 'packaging',
      };
      const wanted = words[boundary] ?? boundary;
      if (rows.some(({ kind, phase }) => kind === wanted || phase === wanted)) return true;
      const { status, cause } = await ims.find(id);
      if (status === 'error') throw new Error(`the job ended before: ${JSON.stringify(cause)}`);
      if (['packaging_artifacts', 'success'].includes(boundary)) await sayDone(id);
      return false;
    }, PATIENCE_MS);
  }

  async function kill({ victim }: Crash, { id }: ImsJob): Promise<void> {
    if (victim === 'builder') {
      // Its program may only be about to start.
      const programs = await eventually(async () => {
        const found = programsOf(worker.process.pid!);
        return found.length > 0 || (await hasEnded(id)) ? found : false;
      });
      for (const pid of programs) process.kill(pid, 'SIGKILL');
    }
    if (victim === 'worker') {
      await worker.kill();
      await endLeases(database);
    }
    if (victim === 'api') await api.kill();
    if (victim === 'redis') redis = await redis.restart();
    await revive();
  }

  /** Starts again what is no more. */
  async function revive(): Promise<void> {
    if (isGone(worker)) worker = await startKiln({ beside: api, env: settings('worker') });
    if (!isGone(api)) return;
    const { stop, url } = api;
    const next = await startKiln({ beside: api, env: settings('api'), port: Number(new URL(url).port) });
    api = { ...next, stop: joined(next.stop, stop) };
  }

  /** Removes a job and what it made; both are gone already where all went well. */
  async function forget({ id }: ImsJob): Promise<void> {
    const { rows } = await database.query<{ id: string }>('SELECT id FROM images WHERE job_id = $1', [id]);
    await ims.ask('DELETE', `jobs/${id}`);
    for (const image of rows) await remove(image.id);
    await eventually(async () => (await processesWith(id)).length === 0 && (await held()).jobs === 0, 60_000);
  }

  /** Does what the person would do, until the job has ended. */
  async function endOf({ id }: ImsJob): Promise<ImsJob> {
    let job = await ims.find(id);
    await eventually(async () => {
      await sayDone(id);
      return ['success', 'error'].includes((job = await ims.find(id)).status);
    }, PATIENCE_MS);
    return job;
  }

  async function hasEnded(id: string): Promise<boolean> {
    return ['success', 'error'].includes((await ims.find(id)).status);
  }

  async function sayDone(id: string): Promise<void> {
    const { status, ssh_containers: shells } = await ims.find(id);
    if (status !== 'waiting_on_user' || !shells) return;
    // The shell may be that of a worker that is no more.
    await person.run(shells[0]!.connection_info.customer_access!, 'touch /tmp/complete').catch(() => undefined);
  }

  async function nothingIsLeft(ended: ImsJob, before: Held): Promise<void> {
    const { id } = ended;
    await eventually(async () => {
      expect(await processesWith(id)).toEqual([]);
      expect(
        (await readdir(join(api.dataDir, 'builds')).catch(() => [])).filter((name) => name.startsWith(id)),
      ).toEqual([]);
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(id);
    });
    const { rows: images } = await database.query<{ id: string; status: string; roles: string[] }>(
      `SELECT i.id, i.status, array_agg(a.role ORDER BY a.role) AS roles FROM images i
       LEFT JOIN image_artifacts a ON a.image_id = i.id WHERE i.job_id = $1 GROUP BY i.id`,
      [id],
    );
    if (ended.status === 'success') {
      expect(images).toMatchObject([{ id: ended.resultant_image_id, status: 'active' }]);
      expect(images[0]!.roles).toEqual(expect.arrayContaining(['manifest']));
      expect(images[0]!.roles.length).toBeGreaterThanOrEqual(2);
    } else expect(images).toEqual([]);
    const { rows: ends } = await database.query(
      `SELECT kind FROM events WHERE noun_id = $1 AND kind IN ('job.succeeded', 'job.failed', 'job.cancelled')`,
      [id],
    );
    expect(ends).toHaveLength(1);
    if (ended.resultant_image_id !== null) await remove(ended.resultant_image_id);
    await eventually(async () => expect(await held()).toEqual(before));
  }

  async function remove(imageId: string): Promise<void> {
    await ims.ask('DELETE', `images/${imageId}`);
    await ims.ask('DELETE', `deleted/images/${imageId}`);
  }

  async function held(): Promise<Held> {
    const { rows } = await database.query<{ quantity: string; used: string }>(
      `SELECT quantity, used FROM project_usage
       WHERE project_id = $1 AND quantity IN ('storage_bytes', 'running_jobs', 'queued_jobs')`,
      [ALPHA],
    );
    const used = (...quantities: string[]) =>
      rows.filter(({ quantity }) => quantities.includes(quantity)).reduce((sum, row) => sum + Number(row.used), 0);
    return {
      storedBytes: used('storage_bytes'),
      jobs: used('running_jobs', 'queued_jobs'),
      strays: await unknownObjects(),
    };
  }

  async function unknownObjects(): Promise<string[]> {
    const { rows } = await database.query<{ object_key: string }>('SELECT object_key FROM stored_files');
    const known = new Set(rows.map((row) => row.object_key));
    return (await storedObjects(api)).filter((key) => !known.has(key));
  }
});

function isGone({ process: { exitCode, signalCode } }: RunningKiln): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Builder programs of a worker. */
function programsOf(workerPid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,args', '-ww'], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((found) => found !== null && Number(found[2]) === workerPid && found[3]!.includes('program/main.js'))
    .map((found) => Number(found![1]));
}

function joined(first: () => Promise<void>, second: () => Promise<void>): () => Promise<void> {
  return async () => {
    await first();
    await second();
  };
}
