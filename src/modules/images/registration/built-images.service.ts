import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ArtifactsService, type CompleteFile, formatAddress } from '../../artifacts/index.js';
import { Ledger } from '../../tenancy/index.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageRegistrationRepository } from './image-registration.repository.js';
import { MANIFEST_TYPE, mediaTypeOf, writeManifest } from './manifest.js';

/** Bucket of images' artifacts, which every project has. */
export const IMAGE_BUCKET = 'boot-images';

/** A finished file of a build, stored but not yet referred to. */
export interface BuiltArtifact {
  readonly role: 'rootfs' | 'kernel' | 'initrd' | 'boot_parameters' | 'debug_kernel' | 'disk';
  readonly file: CompleteFile;
  /** Of a disk: what it is. */
  readonly diskFormat?: string;
}

/** What a job has built. */
export interface BuiltImage {
  /** Chosen with the job, so that a second execution makes the same image and not another one. */
  readonly imageId: string;
  readonly projectId: string;
  readonly actorId: string | null;
  readonly name: string;
  readonly arch: string;
  readonly jobId: string;
  readonly recipeId: string | null;
  readonly recipeSha256: string | null;
  readonly parentImageId?: string | null;
  /** Exactly one of them is the root file system or the disk. */
  readonly artifacts: readonly BuiltArtifact[];
}

/** Makes images of what jobs have built. */
@Injectable()
export class BuiltImagesService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly registrations: ImageRegistrationRepository,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Writes the manifest that `register` wants; before, and outside of, the transaction. It counts against no limit.
   * Whoever does not register it discards it.
   */
  storeManifest(built: BuiltImage): Promise<CompleteFile> {
    const entries = built.artifacts.map(({ role, file, diskFormat }) => ({
      type: mediaTypeOf(role, diskFormat),
      path: formatAddress(addressOf(built.imageId, role)),
      md5: file.md5,
    }));
    const text = Buffer.from(writeManifest(this.clock.now(), entries));
    return this.artifacts.storeFile(null, Readable.from([text]), { charge: false, sizeBytes: text.length });
  }

  /**
   * Makes the image: `active`, private, the job's project's, with all its artifacts at `s3://boot-images/<id>/…`. Joins
   * the open transaction. If the job made its image before, nothing happens; the files are the caller's to discard,
   * which does nothing to those that came to be referred to.
   *
   * @returns the id of the image
   * @throws LimitExceededError the project has as many images as it may have
   */
  register(built: BuiltImage, manifest: CompleteFile): Promise<string> {
    return this.uow.run(async () => {
      if (await this.registrations.findBuilt(built.imageId, built.jobId)) return built.imageId;
      await this.images.insert(newImage(built), true);
      await this.attach(built, manifest);
      const { file } = primaryOf(built);
      await this.artifacts.reference(file.id);
      const active = await this.images.activate(built.imageId, file);
      const event = { noun: 'image', nounId: active.id, projectId: active.projectId, actorId: built.actorId };
      await this.outbox.record({ kind: 'image.created', ...event, data: { jobId: built.jobId } });
      await this.outbox.record(
        { kind: 'image.activated', ...event, data: { sizeBytes: file.sizeBytes, jobId: built.jobId } },
        { dispatch: true },
      );
      await this.ledger.reserve(built.projectId, 'images', 1);
      return active.id;
    });
  }

  private async attach(built: BuiltImage, manifest: CompleteFile): Promise<void> {
    const { imageId, projectId, name, jobId } = built;
    const about = {
      'x-shasta-ims-image-name': name,
      'x-shasta-ims-image-id': imageId,
      'x-shasta-ims-job-id': jobId,
    };
    const parts = [];
    for (const { role, file, diskFormat } of built.artifacts) {
      const metadata = { md5sum: file.md5, ...about };
      const { id } = await this.artifacts.attach(projectId, addressOf(imageId, role), file.id, { metadata });
      parts.push({ artifactId: id, role, mediaType: mediaTypeOf(role, diskFormat), md5: file.md5 });
    }
    const address = addressOf(imageId, 'manifest.json');
    const metadata = { md5sum: manifest.md5, ...about };
    const content = { contentType: 'application/json', metadata };
    const { id } = await this.artifacts.attach(projectId, address, manifest.id, content);
    await this.registrations.addArtifacts(imageId, [
      ...parts,
      { artifactId: id, role: 'manifest', mediaType: MANIFEST_TYPE, md5: manifest.md5 },
    ]);
    await this.registrations.setLink(imageId, formatAddress(address), manifest.md5);
  }
}

function addressOf(imageId: string, name: string) {
  return { bucket: IMAGE_BUCKET, key: `${imageId}/${name}` };
}

function primaryOf({ artifacts }: BuiltImage): BuiltArtifact {
  return artifacts.find(({ role }) => role === 'rootfs' || role === 'disk')!;
}

function newImage(built: BuiltImage) {
  const { role, diskFormat } = primaryOf(built);
  const provenance = {
    kiln_content: role === 'rootfs' ? 'squashfs' : null,
    kiln_job_id: built.jobId,
    kiln_recipe_id: built.recipeId,
    kiln_recipe_sha256: built.recipeSha256,
    kiln_parent_image_id: built.parentImageId ?? null,
  };
  const known = Object.entries(provenance).filter((entry): entry is [string, string] => entry[1] !== null);
  return {
    id: built.imageId,
    projectId: built.projectId,
    name: built.name,
    visibility: 'private' as const,
    protected: false,
    hidden: false,
    tags: [],
    properties: { architecture: built.arch, ...Object.fromEntries(known) },
    diskFormat: diskFormat ?? 'raw',
    containerFormat: 'bare',
    minDiskGib: 0,
    minRamMib: 0,
    origin: built.parentImageId ? ('customised' as const) : ('built' as const),
    recipeId: built.recipeId,
    jobId: built.jobId,
    parentImageId: built.parentImageId ?? null,
  };
}
