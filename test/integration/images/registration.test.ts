import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import type { BuiltImage } from '../../../src/modules/images/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { qcow2 } from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

const store = (projectId: string | null, content: string) =>
  kiln.artifacts.storeFile(projectId, Readable.from([Buffer.from(content)]), { charge: true });

async function readAt(projectId: string, path: string): Promise<string> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(path)!;
  const artifact = await kiln.artifacts.find(projectId, bucket!, key!);
  return artifact ? text(await kiln.artifacts.open(artifact.storedFileId)) : `nothing at ${path}`;
}

it('refuses a link to a manifest whose bytes the store has lost, and names it', async () => {
  const actor = await kiln.actor();
  const manifest = { bucket: 'boot-images', key: 'lost.json' };
  const { file } = await kiln.artifacts.put(actor, manifest, Readable.from([Buffer.from('{}')]), {});
  await kiln.store.delete(file.objectKey);

  const link = { path: 's3://boot-images/lost.json', etag: '' };
  await expect(kiln.registration.register(actor, { name: 'lost', properties: {}, link })).rejects.toMatchObject({
    code: 'images.object_missing',
    details: { path: 's3://boot-images/lost.json' },
  });
});

describe('images that jobs built', () => {
  async function aBuild(actor: Actor): Promise<BuiltImage> {
    const projectId = actor.projectId!;
    return {
      imageId: newId(),
      projectId,
      actorId: actor.id,
      name: 'built',
      arch: 'x86_64',
      jobId: newId(),
      recipeId: newId(),
      recipeSha256: 'a'.repeat(64),
      artifacts: [
        { role: 'rootfs', file: await store(projectId, 'hsqs root') },
        { role: 'kernel', file: await store(projectId, 'kernel') },
        { role: 'initrd', file: await store(projectId, 'initrd') },
      ],
    };
  }

  it('are active images with artifacts, a manifest and their provenance', async () => {
    const actor = await kiln.actor();
    const build = await aBuild(actor);
    const manifest = await kiln.builtImages.storeManifest(build);

    await kiln.builtImages.register(build, manifest);

    const image = await kiln.images.get(actor, build.imageId);
    expect(image).toMatchObject({
      status: 'active',
      visibility: 'private',
      origin: 'built',
      diskFormat: 'raw',
      containerFormat: 'bare',
      architecture: 'x86_64',
      sizeBytes: 9,
      hashAlgorithm: 'sha512',
      linkPath: `s3://boot-images/${build.imageId}/manifest.json`,
      linkEtag: manifest.md5,
      properties: {
        architecture: 'x86_64',
        kiln_content: 'squashfs',
        kiln_job_id: build.jobId,
        kiln_recipe_id: build.recipeId,
        kiln_recipe_sha256: 'a'.repeat(64),
      },
    });
    const written = JSON.parse(await readAt(actor.projectId!, image.linkPath!));
    expect(written.version).toBe('1.0');
    const contents = [];
    for (const { type, link } of written.artifacts) contents.push([type, await readAt(actor.projectId!, link.path)]);
    expect(contents).toEqual([
      ['application/vnd.cray.image.rootfs.squashfs', 'hsqs root'],
      ['application/vnd.cray.image.kernel', 'kernel'],
      ['application/vnd.cray.image.initrd', 'initrd'],
    ]);
    // The manifest is Kiln's own and counts against nobody.
    expect(await kiln.bytes(actor)).toEqual({ ledger: 21, files: 21 });
  });

  it('are made once, however often a job finishes, and cannot be made beside a limit', async () => {
    const actor = await kiln.actor('member', { images: 1 });
    const build = await aBuild(actor);
    const second = { ...build, artifacts: (await aBuild(actor)).artifacts };
    await kiln.builtImages.register(build, await kiln.builtImages.storeManifest(build));
    const manifest = await kiln.builtImages.storeManifest(second);

    expect(await kiln.builtImages.register(second, manifest)).toBe(build.imageId);

    for (const { file } of second.artifacts) await kiln.artifacts.discard(file.id);
    await kiln.artifacts.discard(manifest.id);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 21, files: 21 });
    expect((await kiln.ledger.find(actor.projectId!, 'images'))!.used).toBe(1);
    const third = await aBuild(actor);
    await expect(kiln.builtImages.register(third, await kiln.builtImages.storeManifest(third))).rejects.toMatchObject({
      code: 'tenancy.limit_exceeded',
    });
    await expect(kiln.images.get(actor, third.imageId)).rejects.toMatchObject({ kind: 'not_found' });
    expect(await kiln.artifacts.find(actor.projectId!, 'boot-images', `${third.imageId}/rootfs`)).toBeNull();
  });

  it('take their artifacts along when they are given away', async () => {
    const [from, to, admin] = [await kiln.actor(), await kiln.actor(), await kiln.actor('admin')];
    const build = await aBuild(from);
    await kiln.builtImages.register(build, await kiln.builtImages.storeManifest(build));

    await kiln.images.update(admin, build.imageId, { projectId: to.projectId });

    const { linkPath } = await kiln.images.get(to, build.imageId);
    for (const { link } of JSON.parse(await readAt(to.projectId!, linkPath!)).artifacts) {
      expect(await readAt(to.projectId!, link.path)).not.toContain('nothing at');
      expect(await readAt(from.projectId!, link.path)).toContain('nothing at');
    }
    expect(await kiln.bytes(from)).toEqual({ ledger: 0, files: 0 });
    expect(await kiln.bytes(to)).toEqual({ ledger: 21, files: 21 });
  });

  it('keep everything when they are deleted, and cost nothing', async () => {
    const actor = await kiln.actor();
    const build = await aBuild(actor);
    await kiln.builtImages.register(build, await kiln.builtImages.storeManifest(build));
    await kiln.images.delete(actor, build.imageId);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    const { projectId } = actor;
    expect(await kiln.artifacts.find(projectId!, 'boot-images', `deleted/${build.imageId}/rootfs`)).not.toBeNull();
  });
});

describe('images that came as one file', () => {
  async function anUpload(actor: Actor, content: Buffer, diskFormat = 'raw'): Promise<string> {
    const { id } = await kiln.images.create(actor, { name: 'g', diskFormat, containerFormat: 'bare' });
    await kiln.imageData.upload(actor, id, Readable.from([content]));
    return id;
  }

  it.each([
    ['squashfs', Buffer.from('hsqs root'), 'raw', 'rootfs', 'application/vnd.cray.image.rootfs.squashfs'],
    ['a disk', qcow2(), 'qcow2', 'disk', 'application/vnd.kiln.image.disk.qcow2'],
    ['anything', Buffer.from('x'), 'raw', 'disk', 'application/vnd.kiln.image.disk.raw'],
    ['nothing', Buffer.alloc(0), 'raw', 'disk', 'application/vnd.kiln.image.disk.raw'],
  ])('get a manifest by their content: %s', async (_what, content, diskFormat, name, type) => {
    const actor = await kiln.actor();
    const id = await anUpload(actor, content, diskFormat);
    const before = await kiln.images.get(actor, id);
    expect(before.linkPath).toBeNull();

    await kiln.manifests.ensureManifest(id);
    await kiln.manifests.ensureManifest(id);

    const { linkPath, linkEtag, ...after } = await kiln.images.get(actor, id);
    expect(linkPath).toBe(`s3://boot-images/${id}/manifest.json`);
    expect(linkEtag).toMatch(/^[0-9a-f]{32}$/);
    expect({ ...after, linkPath: null, linkEtag: null }).toEqual({ ...before });
    const { artifacts } = JSON.parse(await readAt(actor.projectId!, linkPath!));
    expect(artifacts).toEqual([
      { type, md5: before.md5, link: { path: `s3://boot-images/${id}/${name}`, etag: before.md5, type: 's3' } },
    ]);
    const size = content.length;
    expect(await kiln.bytes(actor)).toEqual({ ledger: size, files: size });
  });

  it('get it by the event of their activation', async () => {
    const actor = await kiln.actor();
    kiln.events.start();
    try {
      const id = await anUpload(actor, Buffer.from('hsqs'));
      await eventually(async () => (await kiln.images.get(actor, id)).linkPath !== null);
    } finally {
      await kiln.events.stop();
    }
  });

  it('get it once when many processes see the event, and beside what a user has put in its place', async () => {
    const actor = await kiln.actor();
    const id = await anUpload(actor, Buffer.from('hsqs'));
    const address = { bucket: 'boot-images', key: `${id}/manifest.json` };
    await kiln.artifacts.put(actor, address, Readable.from([Buffer.from('mine')]), {});

    await Promise.allSettled(Array.from({ length: 4 }, () => kiln.manifests.ensureManifest(id)));

    const { linkPath } = await kiln.images.get(actor, id);
    expect(await readAt(actor.projectId!, `s3://boot-images/${id}/manifest.json`)).toBe('mine');
    expect(JSON.parse(await readAt(actor.projectId!, linkPath!)).artifacts).toHaveLength(1);
    const [{ count }] = (await kiln.database.query<{ count: number }>(
      `SELECT count(*) FROM image_artifacts WHERE image_id = $1`,
      [id],
    )) as [{ count: number }];
    expect(count).toBe(2);
    const [{ loose }] = (await kiln.database.query<{ loose: number }>(
      `SELECT count(*) AS loose FROM stored_files WHERE reference_count = 0 AND project_id IS NULL AND created_at > now() - interval '1 minute'
       AND id NOT IN (SELECT stored_file_id FROM artifacts)`,
    )) as [{ loose: number }];
    expect(loose).toBeLessThanOrEqual(1);
  });
});
