import { buffer } from 'node:stream/consumers';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ObjectNotFoundError } from '../../../platform/object-store/object-store.errors.js';
import {
  type Artifact,
  ArtifactsService,
  type ArtifactUser,
  type ArtifactWithFile,
  formatAddress,
  parseAddress,
} from '../../artifacts/index.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { checkPropertyRoom, checkWritable } from '../image-properties.js';
import { ImagesPolicy } from '../images.policy.js';
import { PropertyProtections } from '../protection/property-protections.js';
import { ImagesRepository } from '../images.repository.js';
import { ImagesService } from '../images.service.js';
import type { ImageProperties, UpdateImage } from '../images.types.js';
import { ImageRegistrationRepository } from './image-registration.repository.js';
import { type LinkedEntry, MANIFEST_TYPE, readManifest, roleOf, typedEntries } from './manifest.js';
import {
  ImageLinkFixedError,
  ImageLinkTakenError,
  ImageObjectMissingError,
  ManifestTooLargeError,
} from './registration.errors.js';

/** Where an image's manifest lies. */
export interface ImageLink {
  /** `s3://bucket/key` within the project. */
  readonly path: string;
  readonly etag: string;
}

export interface RegisterImage {
  readonly name: string;
  readonly properties: ImageProperties;
  /** Null: the image is made empty, and its link set later. */
  readonly link: ImageLink | null;
}

/** A manifest as it was read, and what it was read from. */
interface ReadManifest {
  readonly link: ImageLink;
  readonly artifact: Artifact;
  readonly entries: readonly LinkedEntry[];
}

/** What an image consists of that was registered by its root file system. */
const SQUASHFS = { diskFormat: 'raw', containerFormat: 'bare', content: { kiln_content: 'squashfs' } } as const;

/** Makes images of artifacts that are in their place already, as a manifest names them. */
@Injectable()
export class ImageRegistrationService implements OnModuleInit {
  constructor(
    private readonly service: ImagesService,
    private readonly images: ImagesRepository,
    private readonly registrations: ImageRegistrationRepository,
    private readonly policy: ImagesPolicy,
    private readonly protections: PropertyProtections,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.artifacts.registerReferenceChecker((artifact) => this.usersOf(artifact));
  }

  /**
   * Makes a private image of the actor's project: `active` with the root file system that the manifest names, or
   * `queued` when there is no link yet.
   *
   * @throws ImageActionForbiddenError, LimitExceededError
   * @throws PropertyReservedError, PropertyInvalidError, ImageQuotaExceededError
   * @throws ImageLinkTakenError, ImageObjectMissingError, MalformedAddressError
   * @throws ManifestTooLargeError, ManifestInvalidError, ManifestRootfsError
   */
  async register(actor: Actor, { name, properties, link }: RegisterImage): Promise<Image> {
    if (link === null) return this.service.create(actor, { name, properties, visibility: 'private' });
    this.policy.checkCreate(actor, { projectId: actor.projectId, visibility: 'private' });
    checkWritable(properties, this.policy.isAdmin(actor));
    this.protections.checkCreate(actor, properties);
    checkPropertyRoom(properties);
    const projectId = actor.projectId!;
    return this.withManifest(projectId, link, async (manifest) => {
      const image = await this.images.insert(
        {
          id: newId(),
          projectId,
          name,
          visibility: 'private',
          protected: false,
          hidden: false,
          tags: [],
          properties,
          diskFormat: null,
          containerFormat: null,
          minDiskGib: 0,
          minRamMib: 0,
          origin: 'registered',
        },
        false,
      );
      await this.record('image.created', actor, image);
      const active = await this.complete(actor, image, manifest);
      await this.ledger.reserve(projectId, 'images', 1);
      return this.protections.shownTo(actor, active);
    });
  }

  /**
   * Changes an image and sets its link, all or nothing. A link can be set once, on an image without data; the same link
   * again changes nothing.
   *
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageLinkFixedError it has another link, or data
   * @throws anything that `ImagesService.update` and, for the link, `register` throw
   */
  async update(actor: Actor, imageId: string, change: UpdateImage, link: ImageLink | undefined): Promise<Image> {
    const image = await this.service.get(actor, imageId);
    this.policy.checkModify(actor, { image, memberStatus: null }, 'change');
    if (link === undefined || isSameLink(image, link)) return this.service.update(actor, imageId, change);
    checkLinkable(image);
    return this.withManifest(image.projectId!, link, async (manifest) => {
      // Locks the image; from here on it is as it was found.
      const changed = await this.service.update(actor, imageId, change);
      const { image: locked } = (await this.images.findForUpdate(imageId, actor.projectId))!;
      if (isSameLink(locked, link)) return changed;
      checkLinkable(locked);
      await this.registrations.markRegistered(imageId);
      return this.protections.shownTo(actor, await this.complete(actor, locked, manifest));
    });
  }

  /** Reads the manifest outside of any transaction, and works with it in one that finds it unchanged. */
  private async withManifest<T>(
    projectId: string,
    link: ImageLink,
    work: (manifest: ReadManifest) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const manifest = await this.readManifest(projectId, link);
      const done = await this.uow.run(async () => {
        const held = await this.artifacts.hold(projectId, manifest.artifact);
        if (held?.storedFileId !== manifest.artifact.storedFileId) return null;
        return { result: await work(manifest) };
      });
      if (done) return done.result;
    }
  }

  private async readManifest(projectId: string, link: ImageLink): Promise<ReadManifest> {
    const { path } = link;
    const { bucket, key } = parseAddress(path);
    if (await this.registrations.linkIsTaken(projectId, path)) throw new ImageLinkTakenError(path);
    const { manifestLimitBytes } = this.config.ims;
    const look = async (): Promise<ArtifactWithFile> => {
      const found = await this.artifacts.findWithFile(projectId, { bucket, key });
      if (!found || found.artifact.movedFromKey !== null) throw new ImageObjectMissingError(path);
      if (found.file.sizeBytes >= manifestLimitBytes) throw new ManifestTooLargeError(path, manifestLimitBytes);
      return found;
    };
    try {
      const { artifact, bytes } = await this.artifacts.openFound(await look(), look);
      return { link, artifact, entries: readManifest(path, await buffer(bytes)) };
    } catch (error) {
      // The record is there, but the store has lost the bytes.
      if (error instanceof ObjectNotFoundError) throw new ImageObjectMissingError(path);
      throw error;
    }
  }

  /** Gives a locked image without data what its manifest names. */
  private async complete(actor: Actor, image: Image, { link, artifact, entries }: ReadManifest): Promise<Image> {
    const held = await this.artifacts.holdAll(
      image.projectId!,
      entries.map((entry) => entry.address),
    );
    const byPath = new Map(held.map((found) => [formatAddress(found), found]));
    const missing = entries.find((entry) => !byPath.has(entry.path));
    if (missing) throw new ImageObjectMissingError(missing.path);
    const parts = typedEntries(link.path, entries).map(({ path, type, md5 }) => ({
      artifactId: byPath.get(path)!.id,
      fileId: byPath.get(path)!.storedFileId,
      role: roleOf(type),
      mediaType: type,
      md5,
    }));
    const rootfs = parts.find((part) => part.role === 'rootfs')!;
    await this.images.update(image.id, {
      diskFormat: SQUASHFS.diskFormat,
      containerFormat: SQUASHFS.containerFormat,
      properties: { ...image.properties, ...SQUASHFS.content },
    });
    await this.registrations.setLink(image.id, link.path, link.etag);
    // The root file system first: if another entry names the same object, this role is the one that counts.
    await this.registrations.addArtifacts(image.id, [
      rootfs,
      ...parts,
      { artifactId: artifact.id, role: 'manifest', mediaType: MANIFEST_TYPE, md5: artifact.etag },
    ]);
    await this.artifacts.reference(rootfs.fileId);
    const active = await this.images.activate(image.id, await this.artifacts.getFile(rootfs.fileId));
    await this.record('image.activated', actor, active, true);
    return active;
  }

  private async usersOf(artifact: Artifact): Promise<ArtifactUser[]> {
    const images = await this.registrations.findByArtifact(artifact.id);
    return images.map(({ id, deletedAt }) => ({ noun: 'image', id, live: deletedAt === null }));
  }

  private record(kind: string, actor: Actor, image: Image, dispatch = false): Promise<void> {
    const { id, projectId, sizeBytes } = image;
    const data = sizeBytes === null ? {} : { sizeBytes };
    return this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId: actor.id, data }, { dispatch });
  }
}

/** A missing etag equals an empty one. */
function isSameLink(image: Image, link: ImageLink): boolean {
  return image.linkPath === link.path && (image.linkEtag ?? '') === link.etag;
}

function checkLinkable(image: Image): void {
  if (image.linkPath !== null) throw new ImageLinkFixedError(image.id, `it is ${image.linkPath} already`);
  if (image.status !== 'queued') throw new ImageLinkFixedError(image.id, `the image is ${image.status}`);
  if (image.projectId === null) throw new ImageLinkFixedError(image.id, 'the image belongs to no project');
}
