import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../../support/recipes.js';

const BUILD_MS = 240_000;

describeWith(BUILD_PROGRAMS, 'a worker that is killed in the middle of a build', () => {
  let api: RunningKiln;
  let alice: string;
  let env: Record<string, string>;
  const workers: RunningKiln[] = [];

  beforeAll(async () => {
    api = await startKiln({ env: { KILN_ROLE: 'api' } });
    alice = await api.token('alice');
    env = {
      KILN_ROLE: 'worker',
      KILN_BUILD_REPOS: await offlineRepository(),
      KILN_JOB_LEASE: '5s',
      KILN_LOG_LEVEL: 'info',
    };
  }, BUILD_MS);
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await api?.stop();
  }, BUILD_MS);

  async function worker(): Promise<RunningKiln> {
    const started = await startKiln({ beside: api, env });
    workers.push(started);
    return started;
  }

  async function ims(method: string, path: string, body?: object) {
    const reply = await fetch(`${api.url}/apis/ims/v3/${path}`, {
      method,
      headers: { 'x-auth-token': alice, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body && JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);

    return (reply.status === 204 ? null : await reply.json()) as any;
  }

  async function aJob(name: string) {
    await fetch(`${api.url}/artifacts/ims/${name}.tgz`, {
      method: 'PUT',
      headers: { 'x-auth-token': alice },
      body: new Uint8Array(await recipeArchive('debian-tiny')),
    });
    const recipe = await ims('POST', 'recipes', {
      name,
      recipe_type: 'kiwi-ng',
      linux_distribution: 'debian12',
      template_dictionary: await offlineTemplate(name),
      link: { path: `s3://ims/${name}.tgz`, type: 's3' },
    });
    const key = await ims('POST', 'public-keys', { name, public_key: 'ssh-ed25519 AAAA' });
    return ims('POST', 'jobs', {
      job_type: 'create',
      artifact_id: recipe.id,
      public_key_id: key.id,
      image_root_archive_name: name,
    });
  }

  const job = (id: string) => ims('GET', `jobs/${id}`);

  it(
    'is followed by another one, which builds the job',
    async () => {
      const first = await worker();
      const { id } = await aJob('killed');
      await eventually(async () => (await job(id)).status === 'building_image', BUILD_MS);

      await first.kill();
      await worker();

      const done = await eventually(async () => {
        const found = await job(id);
        return ['success', 'error'].includes(found.status) && found;
      }, BUILD_MS);
      expect(done).toMatchObject({ status: 'success', cause: null });
      const images = await ims('GET', 'images?name=killed');
      expect(images.map((image: { id: string }) => image.id)).toEqual([done.resultant_image_id]);
      expect(sandboxesOf(id)).toEqual([]);
    },
    BUILD_MS,
  );

  it(
    'hands the job back, with nothing left of its build, when it is told to stop instead',
    async () => {
      for (const running of workers) await running.stop();
      const only = await worker();
      const { id } = await aJob('stopped');
      await eventually(() => sandboxesOf(id).length > 0, BUILD_MS);

      await only.stop();

      expect(only.process.exitCode).toBe(0);
      expect(sandboxesOf(id)).toEqual([]);
      expect(await job(id)).toMatchObject({ status: 'creating', cause: null });
    },
    BUILD_MS,
  );

  it(
    'leaves no process behind when the job is cancelled instead',
    async () => {
      await worker();
      const { id } = await aJob('cancelled');
      await eventually(() => sandboxesOf(id).length > 0, BUILD_MS);

      await ims('POST', `jobs/${id}/cancel`);

      await eventually(() => sandboxesOf(id).length === 0);
      expect(await job(id)).toMatchObject({ status: 'error', cause: { code: 'user.cancelled' } });
      expect(await ims('GET', 'images?name=cancelled')).toEqual([]);
    },
    BUILD_MS,
  );
});

/** Command lines of processes that work for a job: its work folder bears its id. */
function sandboxesOf(jobId: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args', '-ww'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(jobId));
}
