import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ImageInUseError, ImageNotFoundError } from '../../../src/modules/images/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

async function activeImage(actor: Actor): Promise<string> {
  const { id } = await kiln.images.create(actor, { diskFormat: 'raw', containerFormat: 'bare' });
  await kiln.imageData.upload(actor, id, Readable.from([Buffer.from('bytes')]));
  return id;
}

const pin = (actor: Actor, imageId: string, holder = 'record/1') =>
  kiln.uow.run(() => kiln.imagePins.pin(imageId, actor.projectId!, holder));

describe('a pinned image', () => {
  it('is not deleted before the last pin of its project is gone', async () => {
    const actor = await kiln.actor();
    const imageId = await activeImage(actor);
    await pin(actor, imageId, 'record/1');
    await pin(actor, imageId, 'record/2');

    await expect(kiln.images.delete(actor, imageId)).rejects.toThrow(ImageInUseError);
    await kiln.imagePins.unpin(imageId, 'record/1');
    await expect(kiln.deletedImages.deleteForGood(actor, imageId, { cascade: true })).rejects.toThrow(ImageInUseError);
    await kiln.imagePins.unpin(imageId, 'record/2');
    await kiln.images.delete(actor, imageId);

    await expect(kiln.images.get(actor, imageId)).rejects.toThrow(ImageNotFoundError);
  });

  it('is deleted by whoever insists, and is pinned again when it comes back', async () => {
    const actor = await kiln.actor();
    const imageId = await activeImage(actor);
    await pin(actor, imageId);

    await kiln.imageRemoval.delete(actor, imageId, { evenInUse: true });
    await kiln.deletedImages.restore(actor, imageId);

    expect(await kiln.imagePins.isPinned(imageId)).toBe(true);
    await expect(kiln.images.delete(actor, imageId)).rejects.toThrow(ImageInUseError);
  });

  it('is not kept from its owner by another project', async () => {
    const [owner, other] = [await kiln.actor(), await kiln.actor()];
    const imageId = await activeImage(owner);

    expect(await pin(other, imageId)).toBe(true);

    expect(await kiln.imagePins.isPinned(imageId)).toBe(false);
    await kiln.images.delete(owner, imageId);
  });

  it('is either deleted or pinned, whoever comes first', async () => {
    const actor = await kiln.actor();
    const imageIds = await Promise.all(Array.from({ length: 8 }, () => activeImage(actor)));

    const outcomes = await Promise.all(
      imageIds.map(async (imageId) => {
        const [pinned, deleted] = await Promise.all([
          pin(actor, imageId),
          kiln.images.delete(actor, imageId).then(
            () => true,
            (error: unknown) => {
              if (!(error instanceof ImageInUseError)) throw error;
              return false;
            },
          ),
        ]);
        return { pinned, deleted };
      }),
    );

    expect(outcomes.filter(({ pinned, deleted }) => pinned === deleted)).toEqual([]);
  });
});

it('has no pin on what is not there, or is not active', async () => {
  const actor = await kiln.actor();
  const { id } = await kiln.images.create(actor, {});

  expect(await pin(actor, id)).toBe(false);
  expect(await pin(actor, '11111111-1111-4111-8111-111111111111')).toBe(false);
});
