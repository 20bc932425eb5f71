import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { eventually } from '../support/eventually.js';
import { type RunningKiln, startKiln } from '../support/kiln.js';
import { describeWith } from '../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../support/recipes.js';
import { startRedis, type TestRedis } from '../support/servers/redis.js';
import { type S3Server, startS3Server } from '../support/servers/s3-server.js';

const MINUTES = 60_000;

describeWith([...BUILD_PROGRAMS, 'redis-server'], 'two APIs and two workers on one PostgreSQL, Redis and S3', () => {
  let redis: TestRedis;
  let s3: S3Server;
  let work: string;
  let first: RunningKiln;
  let second: RunningKiln;
  let workers: RunningKiln[];
  let database: pg.Client;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'kiln-scale-'));
    redis = await startRedis();
    s3 = await startS3Server();
    const { endpoint, bucket, accessKeyId, secretAccessKey } = s3;
    const shared = {
      KILN_REDIS_URL: redis.url,
      KILN_STORES: JSON.stringify([{ id: 'bulk', type: 's3', endpoint, bucket, accessKeyId, secretAccessKey }]),
      KILN_BUILD_REPOS: await offlineRepository(),
      KILN_BUILD_CONCURRENCY: '1',
    };
    // Nothing but the three services is shared: each process has a data folder of its own.
    const as = (role: string, name: string) => ({ ...shared, KILN_ROLE: role, KILN_DATA_DIR: join(work, name) });
    first = await startKiln({ env: as('api', 'first') });
    second = await startKiln({ env: as('api', 'second'), beside: first });
    workers = [
      await startKiln({ env: as('worker', 'worker-1'), beside: first }),
      await startKiln({ env: as('worker', 'worker-2'), beside: first }),
    ];
    database = new pg.Client({ connectionString: first.databaseUrl });
    await database.connect();
  }, 4 * MINUTES);

  afterAll(async () => {
    await database?.end();
    for (const kiln of [...(workers ?? []), second, first]) await kiln?.stop();
    await redis?.stop();
    await s3?.close();
    await rm(work, { recursive: true, force: true });
  }, MINUTES);

  const call = (kiln: RunningKiln, path: string, token: string, init: RequestInit = {}) =>
    fetch(`${kiln.url}${path}`, { ...init, headers: { 'x-auth-token': token, ...init.headers } });

  const post = async (kiln: RunningKiln, path: string, token: string, body: object) => {
    const reply = await call(kiln, path, token, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(201);
    return (await reply.json()) as { id: string };
  };

  it('serves through one API what came in through the other', async () => {
    const token = await first.token('alice');
    const bytes = randomBytes(7 * 2 ** 20 + 5);
    const image = await post(first, '/image/v2/images', token, {
      name: 'shared',
      disk_format: 'raw',
      container_format: 'bare',
    });

    const sent = await call(first, `/image/v2/images/${image.id}/file`, token, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    const received = await call(second, `/image/v2/images/${image.id}/file`, token);

    expect(sent.status).toBe(204);
    expect(
      createHash('sha512')
        .update(Buffer.from(await received.arrayBuffer()))
        .digest('hex'),
    ).toBe(createHash('sha512').update(bytes).digest('hex'));
  });

  it('lets a token die everywhere within five seconds of its revocation', async () => {
    const token = await first.token('rita');
    const before = await call(second, '/image/v2/images', token);

    await call(first, '/identity/v3/auth/tokens', token, { method: 'DELETE', headers: { 'x-subject-token': token } });

    expect(before.status).toBe(200);
    await eventually(async () => (await call(second, '/image/v2/images', token)).status === 401, 5_500);
  });

  it(
    'finishes a build whose worker is killed, on the other one',
    async () => {
      const token = await first.token('alice');
      await call(first, '/artifacts/ims/recipes/tiny.tgz', token, {
        method: 'PUT',
        body: new Uint8Array(await recipeArchive('debian-tiny')),
      });
      const key = await post(first, '/apis/ims/v3/public-keys', token, {
        name: 'k',
        public_key: 'ssh-ed25519 AAAA test',
      });
      const recipe = await post(second, '/apis/ims/v3/recipes', token, {
        name: 'tiny',
        recipe_type: 'kiwi-ng',
        linux_distribution: 'debian12',
        require_dkms: false,
        link: { type: 's3', path: 's3://ims/recipes/tiny.tgz' },
        template_dictionary: await offlineTemplate('tiny'),
      });
      const job = await post(second, '/apis/ims/v3/jobs', token, {
        job_type: 'create',
        artifact_id: recipe.id,
        public_key_id: key.id,
        image_root_archive_name: 'tiny',
      });
      const show = async (kiln: RunningKiln) =>
        (await (await call(kiln, `/apis/ims/v3/jobs/${job.id}`, token)).json()) as {
          status: string;
          resultant_image_id: string;
        };

      await eventually(async () => (await show(first)).status === 'building_image', 2 * MINUTES);
      await workers[await indexOfWorkerAt(job.id)]!.kill();
      await eventually(async () => ['success', 'error'].includes((await show(second)).status), 5 * MINUTES);

      const ended = await show(first);
      const { rows } = await database.query('SELECT attempt FROM jobs WHERE id = $1', [job.id]);
      const image = await call(second, `/image/v2/images/${ended.resultant_image_id}`, token);
      expect(ended.status).toBe('success');
      expect(rows).toEqual([{ attempt: 2 }]);
      expect(image.status).toBe(200);
    },
    8 * MINUTES,
  );

  /** Which worker has the job's lease: it names its process. */
  async function indexOfWorkerAt(jobId: string): Promise<number> {
    const { rows } = await database.query<{ lease_owner: string }>('SELECT lease_owner FROM jobs WHERE id = $1', [
      jobId,
    ]);
    const index = workers.findIndex((worker) => rows[0]!.lease_owner.split(/\D+/).includes(String(worker.process.pid)));
    if (index === -1) throw new Error(`no worker is called ${rows[0]!.lease_owner}`);
    return index;
  }
});
