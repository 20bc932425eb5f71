import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import {
  accountNumberOf,
  type BuildCustomImage,
  ConfigurationInvalidError,
  CustomImageBuildsService,
  CustomImageRemovalService,
  CustomImagesService,
  type CustomImageState,
  type ValidationMessage,
} from '../../../src/modules/custom-images/index.js';
import {
  ImageMembersService,
  ImagePinsService,
  ImageRegistrationService,
  ImageRemovalService,
  ImagesService,
} from '../../../src/modules/images/index.js';
import { BuildFailedError } from '../../../src/modules/jobs/index.js';
import { Actor } from '../../../src/modules/tenancy/index.js';
import { eventually } from '../../support/eventually.js';
import { aborted, atOnce, type JobsApp, JobsWorld, type Script } from '../jobs/jobs-app.js';

let world: JobsWorld;
let app: JobsApp;
let alice: Actor;
let parentId: string;
let next: Script = atOnce;

beforeAll(async () => {
  world = await JobsWorld.open();
  app = await world.worker({ working: true, script: (build) => next(build) });
  alice = await world.member(app);
  parentId = await aParent(alice);
});

afterAll(() => world.close());

const service = <T>(type: new (...args: never[]) => T): T => app.app.get(type, { strict: false });

/** An image that has nothing but a root file system. */
async function aParent(actor: Actor): Promise<string> {
  const folder = randomUUID();
  const put = (key: string, text: string) =>
    app.artifacts.put(
      actor,
      { bucket: 'boot-images', key: `${folder}/${key}` },
      Readable.from([Buffer.from(text)]),
      {},
    );
  await put('rootfs', 'a root file system');
  const type = 'application/vnd.cray.image.rootfs.squashfs';
  const link = { path: `s3://boot-images/${folder}/rootfs`, etag: '', type: 's3' };
  await put('manifest', JSON.stringify({ version: '1.0', artifacts: [{ link, type }] }));
  const manifest = { path: `s3://boot-images/${folder}/manifest`, etag: '' };
  return (await service(ImageRegistrationService).register(actor, { name: 'parent', properties: {}, link: manifest }))
    .id;
}

async function begin(
  name: string,
  { image = {}, rollback = false, script = atOnce }: { image?: object; rollback?: boolean; script?: Script } = {},
) {
  next = script;
  const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(alice, parentId) };
  await build(alice, name, { Build, Image: image }, { rollbackOnFailure: rollback });
}

const build = (actor: Actor, name: string, configuration: object, options: Partial<BuildCustomImage> = {}) =>
  service(CustomImageBuildsService).build(actor, {
    name,
    configuration: stringify(configuration),
    suppressed: new Set(),
    failureLevel: 'ERROR',
    rollbackOnFailure: false,
    dryRun: false,
    ...options,
  });

/** What is said against a configuration; nothing is built of it. */
async function findings(actor: Actor, Build: object, more: object = {}): Promise<(readonly [string, string])[]> {
  const configuration = {
    Build: { InstanceType: 'm6i.large', ParentImage: await amiOf(alice, parentId), ...Build },
    ...more,
  };
  try {
    const { messages } = await build(actor, 'not-built', configuration, { dryRun: true });
    return messages.map(({ type, level }) => [type, level]);
  } catch (error) {
    if (!(error instanceof ConfigurationInvalidError)) throw error;
    return (error.details.messages as ValidationMessage[]).map(({ type, level }) => [type, level]);
  }
}

const amiOf = async (actor: Actor, imageId: string) => (await service(ImagesService).get(actor, imageId)).amiId;

const view = (name: string) => service(CustomImagesService).get(alice, undefined, name);
const names = async (filter: 'available' | 'pending' | 'failed') =>
  (await service(CustomImagesService).list(alice, { filter })).items.map(({ record }) => record.name);
const remove = (name: string, force = false) =>
  service(CustomImageRemovalService).delete(alice, undefined, name, force);

/** Waits until a custom image is in a state, and returns it. */
const reaches = (name: string, state: CustomImageState) =>
  eventually(async () => {
    const found = await view(name);
    expect(found.record.state).toBe(state);
    return found;
  });
const isGone = (name: string) => eventually(() => expect(view(name)).rejects.toMatchObject({ kind: 'not_found' }));

const fails: Script = () => Promise.reject(new BuildFailedError('build.script_failed', 'Script 1 ended with 3'));

it('becomes an image with the tags and the disk that were asked for, and goes with it', async () => {
  await begin('whole', { image: { Name: 'node', Tags: [{ Key: 'team', Value: 'bio' }], RootVolume: { Size: 40 } } });

  const { image } = await reaches('whole', 'complete');
  expect(image).toMatchObject({ status: 'active', visibility: 'private', minDiskGib: 40, parentImageId: parentId });
  expect(image).toMatchObject({ name: expect.stringMatching(/^node \d{4}-\d\d-\d\dT/), properties: { team: 'bio' } });
  expect(await names('available')).toContain('whole');

  const deleting = await remove('whole');
  expect(deleting.record.state).toBe('deleting');
  await isGone('whole');
  await expect(service(ImagesService).get(alice, image!.id)).rejects.toMatchObject({ kind: 'not_found' });
  await begin('whole');
});

it('stays for a look when its build fails, and is deleted on request', async () => {
  await begin('failing', { script: fails });

  const { record, job } = await reaches('failing', 'failed');
  expect(record.stateReason).toBe('Script 1 ended with 3');
  expect(job).toMatchObject({ status: 'failed', causeCode: 'build.script_failed' });
  expect(await names('failed')).toContain('failing');
  await expect(begin('failing')).rejects.toMatchObject({ code: 'custom_images.exists' });

  await remove('failing');
  await isGone('failing');
});

it('is rolled back when its build fails, if that was asked for: no log is left', async () => {
  await begin('rolling', {
    rollback: true,
    script: async (build) => {
      build.report.log('something to look at\n');
      return fails(build);
    },
  });

  const { record, job } = await reaches('rolling', 'rolled_back');
  expect(record.stateReason).toBe('Script 1 ended with 3');
  const chunks = await app.database.query('SELECT 1 FROM job_log_chunks WHERE job_id = $1', [job!.id]);
  expect(chunks).toEqual([]);
});

it('is not deleted while it is built', async () => {
  await begin('slow', { script: ({ signal }) => aborted(signal) });

  await expect(remove('slow', true)).rejects.toMatchObject({ code: 'custom_images.building' });
  const { job } = await view('slow');
  await app.jobs.cancel(alice, 'parallelcluster', job!.id);
  await reaches('slow', 'failed');
});

it('is not deleted while others use or see it, unless that is insisted on; and never while it is protected', async () => {
  await begin('wanted');
  const { image } = await reaches('wanted', 'complete');
  const images = service(ImagesService);
  const imageId = image!.id;

  next = ({ signal }) => aborted(signal);
  const user = await app.jobs.create(alice, {
    face: 'parallelcluster',
    jobType: 'customize',
    artifactId: imageId,
    imageRootArchiveName: 'child',
    scripted: { updateOsPackages: false, scripts: [] },
  });
  const bob = await world.member(app);
  await images.update(alice, imageId, { visibility: 'community' });
  const foreign = await app.jobs.create(bob, {
    face: 'parallelcluster',
    jobType: 'customize',
    artifactId: imageId,
    sharedSources: true,
    imageRootArchiveName: 'child',
    scripted: { updateOsPackages: false, scripts: [] },
  });
  await expect(remove('wanted')).rejects.toMatchObject({
    code: 'custom_images.in_use',
    message: expect.stringContaining(`is used by job ${user.id}, a build of another project; delete`),
  });
  await app.jobs.cancel(bob, 'parallelcluster', foreign.id);
  await app.jobs.cancel(alice, 'parallelcluster', user.id);
  await images.update(alice, imageId, { visibility: 'shared' });
  await service(ImageMembersService).add(alice, imageId, 'friends');
  await expect(remove('wanted')).rejects.toMatchObject({
    code: 'custom_images.shared',
    message: expect.stringContaining('friends'),
  });
  await images.update(alice, imageId, { protected: true });
  await expect(remove('wanted', true)).rejects.toMatchObject({ code: 'images.protected' });
  expect((await view('wanted')).record.state).toBe('complete');

  await images.update(alice, imageId, { protected: false });
  await remove('wanted', true);
  await isGone('wanted');
});

it('stays where others came to use it after its deletion was accepted, unless that is insisted on', async () => {
  await begin('popular');
  const { image, record } = await reaches('popular', 'complete');
  await app.database.transaction(() => service(ImagePinsService).pin(image!.id, alice.projectId!, 'host/1'));
  // As if the deletion had been accepted before.
  await app.database.run(
    `UPDATE custom_images SET state = 'deleting', updated_at = now() - interval '1 minute' WHERE id = $1`,
    [record.id],
  );

  await service(CustomImageRemovalService).sweep();

  const kept = await view('popular');
  expect(kept.record).toMatchObject({ state: 'delete_failed', stateReason: expect.stringContaining('is used by') });
  expect(kept.image?.status).toBe('active');
  await expect(remove('popular')).rejects.toMatchObject({ code: 'custom_images.in_use' });
  await remove('popular', true);
  await isGone('popular');
  await expect(service(ImagesService).get(alice, image!.id)).rejects.toMatchObject({ kind: 'not_found' });
});

it('is found by a deletion that has to wait for the end of its build', async () => {
  await begin('finishing');
  const { image, record } = await reaches('finishing', 'complete');
  // As it is just before the build ends: there is no image yet.
  const set = (state: string, deletedAt: string) => [
    `UPDATE custom_images SET state = '${state}' WHERE id = '${record.id}'`,
    `UPDATE images SET deleted_at = ${deletedAt} WHERE id = '${image!.id}'`,
  ];
  for (const statement of set('building', 'now()')) await app.database.run(statement);
  const finisher = await app.database.pool.connect();
  await finisher.query('BEGIN');
  for (const statement of set('complete', 'NULL')) await finisher.query(statement);

  const deleting = remove('finishing');
  await eventually(async () => {
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    expect(await app.database.query(waiting)).toHaveLength(1);
  });
  await finisher.query('COMMIT');
  finisher.release();

  expect((await deleting).record.state).toBe('deleting');
  await isGone('finishing');
});

it('is told when a deletion cannot be finished, and may be deleted again', async () => {
  await begin('held');
  const { image, record } = await reaches('held', 'complete');
  await service(ImagesService).update(alice, image!.id, { protected: true });
  // As if it had been protected between the acceptance and the work.
  await app.database.run(
    `UPDATE custom_images SET state = 'deleting', updated_at = now() - interval '1 minute' WHERE id = $1`,
    [record.id],
  );

  await service(CustomImageRemovalService).sweep();

  const failed = await view('held');
  expect(failed.record).toMatchObject({ state: 'delete_failed', stateReason: expect.stringContaining('protected') });
  expect(await names('failed')).toContain('held');
  await service(ImagesService).update(alice, image!.id, { protected: false });
  await remove('held');
  await isGone('held');
});

it('is finished by the sweep when the process that should have done it died', async () => {
  await begin('forgotten', { script: fails });
  const { record } = await reaches('forgotten', 'failed');
  await app.database.run(
    `UPDATE custom_images SET state = 'deleting', updated_at = now() - interval '1 minute' WHERE id = $1`,
    [record.id],
  );

  await service(CustomImageRemovalService).sweep();

  await isGone('forgotten');
});

it('is gone when its image is deleted elsewhere, and its name is free', async () => {
  await begin('elsewhere');
  const { image } = await reaches('elsewhere', 'complete');
  await service(ImageRemovalService).delete(alice, image!.id);

  await expect(view('elsewhere')).rejects.toMatchObject({ kind: 'not_found' });
  await expect(remove('elsewhere')).rejects.toMatchObject({ kind: 'not_found' });
  expect(await names('available')).not.toContain('elsewhere');
  await begin('elsewhere');
  await reaches('elsewhere', 'complete');
});

it('is refused while its project has no room for another image, also in a dry run', async () => {
  const full = await world.member(app, { images: 1 });
  const parent = await aParent(full);

  for (const dryRun of [true, false]) {
    const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(full, parent) };
    await expect(build(full, 'too-many', { Build }, { dryRun })).rejects.toMatchObject({ kind: 'quota_exceeded' });
  }
  await expect(service(CustomImagesService).get(full, undefined, 'too-many')).rejects.toMatchObject({
    kind: 'not_found',
  });
});

const NO_PARENT = [['InstanceTypeBaseAMICompatibleValidator', 'ERROR']];
const arnOf = (owner: string, resource: string, region = 'us-east-1') =>
  `arn:aws:imagebuilder:${region}:${owner}:${resource}`;

it('starts from an image that is named by ARN: of its project, or an official one', async () => {
  const own = accountNumberOf(alice.projectId!);
  const bob = await world.member(app);
  await begin('by-name');
  await reaches('by-name', 'complete');

  for (const resource of [
    'image/parent/x.x.x',
    'image/parent/3.12.x',
    'image/parent/3.12.0/1',
    'image/by-name/x.x.x',
  ]) {
    expect([resource, await findings(alice, { ParentImage: arnOf(own, resource) })]).toEqual([resource, []]);
  }
  for (const [actor, arn] of [
    [alice, arnOf(own, 'image/none/x.x.x')],
    [alice, arnOf(own, 'image/parent/2.x.x')],
    [alice, arnOf(own, 'image/parent/x.x.x', 'eu-north-1')],
    [alice, arnOf('aws', 'image/parent/x.x.x')],
    [bob, arnOf(own, 'image/parent/x.x.x')],
  ] as const) {
    expect([arn, await findings(actor, { ParentImage: arn })]).toEqual([arn, NO_PARENT]);
  }
});

it('starts from the newest official image of a name, whoever has it', async () => {
  const bob = await world.member(app);
  const root = Actor.user({ ...alice, roles: ['admin'] });
  const official = await aParent(alice);
  await service(ImagesService).update(root, official, {
    name: 'Rocky 9 (base)',
    visibility: 'public',
    setProperties: { kiln_official_os: 'rocky9' },
  });

  expect(await findings(bob, { ParentImage: arnOf('aws', 'image/rocky-9-base/x.x.x') })).toEqual([]);
  expect(await findings(bob, { ParentImage: arnOf('aws', 'image/rocky-8-base/x.x.x') })).toEqual(NO_PARENT);
});

it('takes scripts of its project that are named by ARN, as long as they are there', async () => {
  const own = accountNumberOf(alice.projectId!);
  const bob = await world.member(app);
  const address = { bucket: 'scripts', key: 'components/setup/1.0.0' };
  await app.artifacts.put(alice, address, Readable.from([Buffer.from('#!/bin/sh')]), {});
  const component = (owner: string, resource: string) => ({
    Components: [{ Type: 'arn', Value: arnOf(owner, resource) }],
  });
  const NO_COMPONENT = [['ComponentsValidator', 'ERROR']];
  const digits = accountNumberOf(bob.projectId!);

  expect(await findings(alice, component(own, 'component/setup/1.0.0'))).toEqual([]);
  expect(await findings(alice, component(own, 'component/setup/1.0.1'))).toEqual(NO_COMPONENT);
  expect(await findings(alice, component(digits, 'component/setup/1.0.0'))).toEqual(NO_COMPONENT);
  const ParentImage = await amiOf(bob, await aParent(bob));
  expect(await findings(bob, { ParentImage, ...component(own, 'component/setup/1.0.0') })).toEqual(NO_COMPONENT);
});

it('is refused for a bucket that can be none, unless that is not looked at', async () => {
  const wrong = { CustomS3Bucket: 'Not_A_Bucket' };
  const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(alice, parentId) };
  const suppressed = new Set(['S3BucketValidator']);

  expect(await findings(alice, {}, wrong)).toEqual([['S3BucketValidator', 'ERROR']]);
  expect(await findings(alice, {}, { CustomS3Bucket: 'a.bucket-1' })).toEqual([]);
  expect((await build(alice, 'not-built', { Build, ...wrong }, { dryRun: true, suppressed })).messages).toEqual([]);
});

describe('a build that could not be begun', () => {
  const script = (Value: string, Type = 'script') => ({ Components: [{ Type, Value }] });
  const longest = 'k'.repeat(1_025);
  const unbuildable = async () => {
    const id = await aParent(alice);
    await service(ImagesService).update(alice, id, { setProperties: { architecture: 'riscv64' } });
    return { ParentImage: await amiOf(alice, id) };
  };

  it.each([
    [
      'too many scripts',
      { Components: Array(21).fill({ Type: 'script', Value: 'data:;base64,eA==' }) },
      'jobs.scripts',
    ],
    ['an arn that names nothing', script('arn:aws:x', 'arn'), 'jobs.scripts'],
    ['an address that is too long', script(`s3://scripts/${longest}`), 'artifacts.malformed_address'],
    ['a name that is too long', script(`file://${longest}`), 'artifacts.malformed_address'],
    ['no name', script('file:///'), 'artifacts.malformed_address'],
    ['a parent of an architecture that is not built', unbuildable, 'jobs.source'],
  ])('is refused for %s, also in a dry run and if nobody looks', async (_what, wrong, code) => {
    const more = typeof wrong === 'function' ? await wrong() : wrong;
    const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(alice, parentId), ...more };

    for (const dryRun of [true, false]) {
      await expect(build(alice, 'refused', { Build }, { dryRun, suppressed: 'all' })).rejects.toMatchObject({ code });
    }
  });
});

it('is begun by a dry run as little as by none', async () => {
  const carol = await world.member(app, { queued_jobs: 1 });
  const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(carol, await aParent(carol)) };
  next = atOnce;

  for (let times = 0; times < 2; times += 1) {
    expect(await build(carol, 'rehearsed', { Build }, { dryRun: true })).toEqual({ image: null, messages: [] });
  }

  const kept = `SELECT 1 FROM jobs WHERE project_id = $1 UNION ALL SELECT 1 FROM custom_images WHERE project_id = $1`;
  expect(await app.database.query(kept, [carol.projectId])).toEqual([]);
  expect((await build(carol, 'rehearsed', { Build })).image).not.toBeNull();
});

it('starts from a parent that says nothing of its architecture', async () => {
  const id = await aParent(alice);
  await service(ImagesService).update(alice, id, { setProperties: { architecture: '' } });
  const Build = { InstanceType: 'm6i.large', ParentImage: await amiOf(alice, id) };
  next = atOnce;

  await build(alice, 'wordless', { Build });

  await reaches('wordless', 'complete');
});
