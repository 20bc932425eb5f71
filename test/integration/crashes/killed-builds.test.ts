import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { type ImsJob, ImsUser } from '../../support/ims.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { rootFilesystem } from '../../support/root-filesystem.js';
import { SshUser } from '../../support/ssh.js';

const run = promisify(execFile);
const RUNS = Number(process.env.KILN_TEST_CRASH_RUNS ?? 10);
const SEED = Number(process.env.KILN_TEST_CRASH_SEED ?? 1);
const RUN_MS = 180_000;

const PROGRAMS = ['packer', 'unsquashfs', 'mksquashfs', 'bwrap', 'sshd', 'ssh', 'ssh-keygen', 'redis-server'];
const VICTIMS = ['builder', 'worker', 'api', 'redis'] as const;
/** Statuses at whose beginning something is killed. */
const BOUNDARIES = {
  create: ['creating', 'fetching_recipe', 'building_image', 'packaging_artifacts', 'success'],
  customize: ['creating', 'fetching_image', 'waiting_on_user', 'packaging_artifacts', 'success'],
} as const;

interface Crash {
  readonly jobType: keyof typeof BOUNDARIES;
  readonly boundary: string;
  readonly victim: (typeof VICTIMS)[number];
}

/** Every crash there is, in an order that the seed decides; over and over. */
function crashes(): Crash[] {
  const all = (['create', 'customize'] as const).flatMap((jobType) =>
    BOUNDARIES[jobType].flatMap((boundary) => VICTIMS.map((victim) => ({ jobType, boundary, victim }))),
  );
  let state = SEED;
  const next = (below: number): number => {
    // Numerical Recipes' linear congruential generator.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = next(at + 1);
    [all[at], all[other]] = [all[other]!, all[at]!];
  }
  return Array.from({ length: RUNS }, (_, index) => all[index % all.length]!);
}

describeWith(PROGRAMS, 'builds in which something is killed', () => {
  let redis: TestRedis;
  let api: RunningKiln;
  let worker: RunningKiln;
  let database: pg.Client;
  let ims: ImsUser;
  let person: SshUser;
  let sources: { create: string; customize: string; key: string };
  let folder: string;
  let baseline: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-crashes-'));
    redis = await startRedis();
    api = await startKiln({ env: settings('api') });
    worker = await startKiln({ beside: api, env: settings('worker') });
    database = new pg.Client({ connectionString: api.databaseUrl });
    await database.connect();
    ims = new ImsUser(api, await api.token('alice'));
    person = await SshUser.create();
    sources = await prepare();
    baseline = await storedBytes();
  }, RUN_MS);

  afterAll(async () => {
    await database?.end();
    await worker?.stop();
    await api?.stop();
    await redis?.stop();
    await person?.leave();
    await rm(folder, { recursive: true, force: true });
  }, RUN_MS);

  const settings = (role: 'api' | 'worker') => ({
    KILN_ROLE: role,
    KILN_REDIS_URL: redis.url,
    KILN_JOB_LEASE: '3s',
    KILN_SHELL_HOST: '127.0.0.1',
    KILN_SHELL_BIND: '127.0.0.1',
    KILN_LOG_LEVEL: 'info',
  });

  async function prepare() {
    // The stand-in for a build that takes minutes.
    const recipe = `source "file" "it" {
      content = "a disk"
      target = "out/disk"
    }
    build { sources = ["source.file.it"] }`;
    await writeFile(join(folder, 'recipe.pkr.hcl'), recipe);
    const { stdout } = await run('tar', ['-C', folder, '-c', 'recipe.pkr.hcl'], { encoding: 'buffer' });
    const create = await ims.recipe('crash', 'packer', stdout);
    const rootfs = await rootFilesystem();
    const customize = await ims.image('crash-base', { rootfs, kernel: Buffer.from('k'), initrd: Buffer.from('i') });
    const key = await ims.key('crash', person.publicKey);
    return { create: create.id, customize: customize.id, key: key.id };
  }

  it.each(crashes().map((crash, index) => [index + 1, crash.victim, crash.jobType, crash.boundary, crash] as const))(
    'run %i: the %s, in %s at %s',
    async (number, _victim, _jobType, _boundary, crash) => {
      const job = await start(`crash-${number}`, crash);
      await reaches(job, crash.boundary);

      await kill(crash);

      const ended = await endOf(job);
      // A builder that is killed alone takes its job with it; whatever else dies, the job is done in the end.
      if (crash.victim !== 'builder') expect(ended).toMatchObject({ status: 'success', cause: null });
      await nothingIsLeft(job, ended);
    },
    RUN_MS,
  );

  function start(name: string, { jobType }: Crash): Promise<ImsJob> {
    return ims.job({
      job_type: jobType,
      artifact_id: sources[jobType],
      public_key_id: sources.key,
      image_root_archive_name: name,
      ...(jobType === 'customize' ? { ssh_containers: [{ name: 'crash', jail: true }] } : {}),
    });
  }

  /** Statuses fly by; the next one will do. */
  async function reaches({ id }: ImsJob, boundary: string): Promise<void> {
    await eventually(async () => {
      const { rows } = await database.query<{ kind: string; phase: string | null }>(
        `SELECT kind, data->>'phase' AS phase FROM events WHERE noun_id = $1 ORDER BY id`,
        [id],
      );
      const words: Record<string, string> = {
        creating: 'job.created',
        success: 'job.succeeded',
        waiting_on_user: 'waiting_on_user',
        building_image: 'building',
        packaging_artifacts: 'packaging',
      };
      const wanted = words[boundary] ?? boundary;
      if (boundary === 'success') await sayDone(id);
      return rows.some(({ kind, phase }) => kind === wanted || phase === wanted);
    }, RUN_MS / 2);
  }

  async function kill({ victim }: Crash): Promise<void> {
    if (victim === 'builder') for (const pid of programsOf(worker.process.pid!)) process.kill(pid, 'SIGKILL');
    if (victim === 'worker') {
      await worker.kill();
      worker = await startKiln({ beside: api, env: settings('worker') });
    }
    if (victim === 'api') {
      const { stop, url } = api;
      await api.kill();
      const next = await startKiln({ beside: api, env: settings('api'), port: Number(new URL(url).port) });
      api = { ...next, stop: joined(next.stop, stop) };
    }
    if (victim === 'redis') redis = await redis.restart();
  }

  /** Does what the person would do, until the job has ended. */
  async function endOf({ id }: ImsJob): Promise<ImsJob> {
    let job = await ims.find(id);
    await eventually(async () => {
      await sayDone(id);
      return ['success', 'error'].includes((job = await ims.find(id)).status);
    }, RUN_MS / 2);
    return job;
  }

  async function sayDone(id: string): Promise<void> {
    const { status, ssh_containers: shells } = await ims.find(id);
    if (status !== 'waiting_on_user' || !shells) return;
    // The shell may be that of a worker that is no more.
    await person.run(shells[0]!.connection_info.customer_access!, 'touch /tmp/complete').catch(() => undefined);
  }

  async function nothingIsLeft({ id }: ImsJob, ended: ImsJob): Promise<void> {
    await eventually(async () => {
      expect(processesWith(id)).toEqual([]);
      expect(
        (await readdir(join(api.dataDir, 'builds')).catch(() => [])).filter((name) => name.startsWith(id)),
      ).toEqual([]);
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(id);
    }, 20_000);
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
    await imageIsGone(ended);
    // Bytes and places are what they were, and no object lies in the store that no row knows.
    await eventually(async () => {
      expect(await storedBytes()).toBe(baseline);
      expect(await unknownObjects()).toEqual([]);
      const { rows } = await database.query(
        `SELECT quantity, used FROM project_usage
         WHERE project_id = $1 AND quantity IN ('running_jobs', 'queued_jobs') AND used <> 0`,
        [ALPHA],
      );
      expect(rows).toEqual([]);
    }, 20_000);
  }

  async function imageIsGone({ resultant_image_id: imageId }: ImsJob): Promise<void> {
    if (imageId === null) return;
    await ims.ask('DELETE', `images/${imageId}`);
    await ims.ask('DELETE', `deleted/images/${imageId}`);
  }

  async function storedBytes(): Promise<number> {
    const { rows } = await database.query<{ used: string }>(
      `SELECT used FROM project_usage WHERE project_id = $1 AND quantity = 'storage_bytes'`,
      [ALPHA],
    );
    return Number(rows[0]?.used ?? 0);
  }

  async function unknownObjects(): Promise<string[]> {
    const { rows } = await database.query<{ object_key: string }>('SELECT object_key FROM stored_files');
    const known = new Set(rows.map((row) => row.object_key));
    const root = join(api.dataDir, 'objects');
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('.tmp'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((key) => !known.has(key));
  }
});

/** Builder programs of a worker. */
function programsOf(workerPid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,args', '-ww'], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((found) => found !== null && Number(found[2]) === workerPid && found[3]!.includes('program/main.js'))
    .map((found) => Number(found![1]));
}

/** Command lines of processes that work for a job: its work folder bears its id. */
function processesWith(jobId: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args', '-ww'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(jobId));
}

function joined(first: () => Promise<void>, second: () => Promise<void>): () => Promise<void> {
  return async () => {
    await first();
    await second();
  };
}
