import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { type ImsJob, ImsUser } from '../../support/ims.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { processesWith } from '../../support/processes.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../../support/recipes.js';

const BUILD_MS = 240_000;

describeWith(BUILD_PROGRAMS, 'a worker that is killed in the middle of a build', () => {
  let api: RunningKiln;
  let alice: ImsUser;
  let env: Record<string, string>;
  const workers: RunningKiln[] = [];

  beforeAll(async () => {
    api = await startKiln({ env: { KILN_ROLE: 'api' } });
    alice = new ImsUser(api, await api.token('alice'));
    env = {
      KILN_ROLE: 'worker',
      KILN_BUILD_REPOS: await offlineRepository(),
      KILN_JOB_LEASE: '10s',
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

  async function aJob(name: string): Promise<ImsJob> {
    const values = (await offlineTemplate(name)).map(({ key, value }) => [key, value] as const);
    const archive = await recipeArchive('debian-tiny');
    const recipe = await alice.recipe(name, 'kiwi-ng', archive, Object.fromEntries(values));
    const key = await alice.key(name, 'ssh-ed25519 AAAA');
    return alice.job({
      job_type: 'create',
      artifact_id: recipe.id,
      public_key_id: key.id,
      image_root_archive_name: name,
    });
  }

  const imagesNamed = (name: string) => alice.ask<readonly { readonly id: string }[]>('GET', `images?name=${name}`);

  it(
    'is followed by another one, which builds the job',
    async () => {
      const first = await worker();
      const { id } = await aJob('killed');
      await alice.reached(id, ['building_image'], BUILD_MS);

      await first.kill();
      await worker();

      const done = await alice.reached(id, ['success'], BUILD_MS);
      expect(done.cause).toBeNull();
      expect((await imagesNamed('killed')).map((image) => image.id)).toEqual([done.resultant_image_id]);
      // What is left of the first one goes with a sweep.
      await eventually(async () => expect(await processesWith(id)).toEqual([]));
    },
    BUILD_MS,
  );

  it(
    'hands the job back, with nothing left of its build, when it is told to stop instead',
    async () => {
      for (const running of workers) await running.stop();
      const only = await worker();
      const { id } = await aJob('stopped');
      await eventually(async () => (await processesWith(id)).length > 0, BUILD_MS);

      await only.stop();

      expect(only.process.exitCode).toBe(0);
      expect(await processesWith(id)).toEqual([]);
      expect(await alice.find(id)).toMatchObject({ status: 'creating', cause: null });
    },
    BUILD_MS,
  );

  it(
    'leaves no process behind when the job is cancelled instead',
    async () => {
      await worker();
      const { id } = await aJob('cancelled');
      await eventually(async () => (await processesWith(id)).length > 0, BUILD_MS);

      await alice.ask('POST', `jobs/${id}/cancel`);

      await eventually(async () => (await processesWith(id)).length === 0);
      expect(await alice.find(id)).toMatchObject({ status: 'error', cause: { code: 'user.cancelled' } });
      expect(await imagesNamed('cancelled')).toEqual([]);
    },
    BUILD_MS,
  );
});
