import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { isMissingReference, isUniqueViolation } from '../../../platform/database/database.errors.js';
import { isStorable } from '../../../platform/database/storable-text.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { SecretBox } from '../../../platform/secrets/secret-box.js';
import { type Image, ImageNotFoundError, ImagePinsService, ImagesService } from '../../images/index.js';
import type { Actor } from '../../tenancy/index.js';
import { ArchitecturesRepository } from '../architectures/architectures.repository.js';
import { ArchitecturesService } from '../architectures/architectures.service.js';
import { canonicalName } from '../architectures/spellings.js';
import { ChangeLog } from '../change-log.js';
import { ComputeResourcesRepository } from '../compute-resources/compute-resources.repository.js';
import { ComputeResourcesService } from '../compute-resources/compute-resources.service.js';
import { FaultList, refusal } from '../fault-list.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { OperatingSystemsRepository } from '../operating-systems/operating-systems.repository.js';
import { OperatingSystemsService } from '../operating-systems/operating-systems.service.js';
import { mayChange, mayView } from '../permissions.js';
import { type Noun, ReferenceNotFoundError, RowNotFoundError } from '../provisioning.errors.js';
import {
  type ComputeResource,
  type CreateProvisioningImage,
  EVERYWHERE,
  type ImageParent,
  type ProvisioningImage,
  type ProvisioningImageAttributes,
  type ProvisioningImageField,
  type Reference,
  REGISTRY_PROVIDER,
  type UpdateProvisioningImage,
  type Within,
} from '../provisioning.types.js';
import { asReader } from '../registry-viewer.js';
import type { RowKey } from '../row-key.js';
import { type ImageScope, ProvisioningImagesRepository, type StoredImage } from './provisioning-images.repository.js';

/** What a record is to be, with all that it refers to; null: not known, which is a fault. */
interface Draft extends Omit<ProvisioningImageAttributes, 'password' | 'operatingSystem' | 'architecture'> {
  readonly computeResource: ComputeResource | null;
  readonly operatingSystem: { readonly id: number } | null;
  readonly architecture: { readonly id: number; readonly name: string } | null;
}

/**
 * Provisioning images: named references to images, with what a provisioning tool needs to use them. One of the registry's own
 * compute resource points at an image that the project sees, and pins it; any other one points at whatever its tool knows.
 */
@Injectable()
export class ProvisioningImagesService {
  constructor(
    private readonly records: ProvisioningImagesRepository,
    private readonly resources: ComputeResourcesRepository,
    private readonly systems: OperatingSystemsRepository,
    private readonly architectures: ArchitecturesRepository,
    private readonly resourcesService: ComputeResourcesService,
    private readonly systemsService: OperatingSystemsService,
    private readonly architecturesService: ArchitecturesService,
    private readonly images: ImagesService,
    private readonly pins: ImagePinsService,
    private readonly secrets: SecretBox,
    private readonly changes: ChangeLog,
    private readonly uow: UnitOfWork,
    private readonly config: Config,
  ) {}

  /** @throws NotPermittedError, RowNotFoundError the parent */
  async list(
    actor: Actor,
    parent: ImageParent,
    within: Within,
    query: RowQuery<ProvisioningImageField>,
  ): Promise<RowPage<ProvisioningImage>> {
    mayView(actor, 'view_images');
    return this.records.page(await this.scope(actor, parent, within), query);
  }

  /** @throws NotPermittedError, RowNotFoundError the parent, or no image of it */
  async get(actor: Actor, parent: ImageParent, within: Within, id: number | null): Promise<ProvisioningImage> {
    mayView(actor, 'view_images');
    const scope = await this.scope(actor, parent, within);
    const found = id === null ? null : await this.records.find(scope, id);
    if (!found) throw new RowNotFoundError('image', String(id));
    return found;
  }

  /**
   * Adds an image to a compute resource.
   * @throws NotPermittedError, RowNotFoundError the compute resource
   * @throws RecordInvalidError, ReferenceNotFoundError
   */
  async create(
    actor: Actor,
    resource: RowKey,
    within: Within,
    { password = null, ...wanted }: CreateProvisioningImage,
  ): Promise<ProvisioningImage> {
    mayChange(actor, 'create_images');
    const { id: computeResourceId } = await this.resourcesService.get(actor, within, resource);
    const id = await this.records.nextId();
    const sealedPassword = await this.seal(id, password);
    return this.storing(null, async () => {
      const computeResource = await this.resources.findForShare(actor.projectId!, computeResourceId, within);
      if (!computeResource) throw new RowNotFoundError('compute_resource', resource.name);
      const draft: Draft = {
        name: null,
        username: null,
        uuid: null,
        userData: false,
        iamRole: null,
        ...wanted,
        computeResource,
        operatingSystem: await this.findSystem(wanted.operatingSystem ?? null),
        architecture: await this.findArchitecture(wanted.architecture ?? null),
      };
      const stored = await this.check(actor, draft, wanted, password, null);
      await this.records.insert({ ...stored, id, sealedPassword });
      await this.pin(null, computeResource, { ...stored, id }, null);
      const created = (await this.records.find(scopeOf(computeResource), id))!;
      await this.changes.record(actor, 'provisioning_image', 'created', created, created.projectId);
      return created;
    });
  }

  /**
   * Changes what is given of an image; another compute resource moves it.
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError, ReferenceNotFoundError
   */
  async update(
    actor: Actor,
    resource: RowKey,
    within: Within,
    id: number | null,
    { password, ...change }: UpdateProvisioningImage,
  ): Promise<ProvisioningImage> {
    mayChange(actor, 'edit_images');
    const parent: ImageParent = { kind: 'computeResource', key: resource };
    const { id: found } = await this.get(actor, parent, within, id);
    if (Object.keys(change).length === 0 && password === undefined) return this.get(actor, parent, within, id);
    const sealedPassword = password === undefined ? undefined : await this.seal(found, password);
    return this.storing(found, async () => {
      const before = await this.records.findForUpdate(await this.scope(actor, parent, within), found);
      if (!before) throw new RowNotFoundError('image', String(id));
      const computeResource = await this.target(actor, within, before, change.computeResource);
      const draft: Draft = {
        ...before,
        ...change,
        computeResource,
        operatingSystem: await this.findSystem(orElse(change.operatingSystem, before.operatingSystemId)),
        architecture: await this.findArchitecture(orElse(change.architecture, before.architectureId)),
      };
      const stored = await this.check(actor, draft, change, password ?? null, before);
      await this.records.update({ ...stored, id: found, sealedPassword });
      await this.pin(before, computeResource!, { ...stored, id: found }, found);
      const changed = (await this.records.find(scopeOf(computeResource!), found))!;
      await this.changes.record(actor, 'provisioning_image', 'updated', changed, changed.projectId);
      return changed;
    });
  }

  /** Removes the record; what it points at stays. @throws NotPermittedError, RowNotFoundError */
  remove(actor: Actor, resource: RowKey, within: Within, id: number | null): Promise<ProvisioningImage> {
    return this.uow.run(async () => {
      mayChange(actor, 'destroy_images');
      const scope = await this.scope(actor, { kind: 'computeResource', key: resource }, within);
      const found = id === null ? null : await this.records.findForUpdate(scope, id);
      if (!found) throw new RowNotFoundError('image', String(id));
      await this.records.remove(found.id);
      if (isOfRegistry(found.computeResourceProvider)) await this.pins.unpin(found.uuid, holderOf(found.id));
      await this.changes.record(actor, 'provisioning_image', 'deleted', found, found.projectId);
      return found;
    });
  }

  private async scope(actor: Actor, { kind, key }: ImageParent, within: Within): Promise<ImageScope> {
    const parentId = (await this.findParent(actor, kind, key, within)).id;
    return { projectId: actor.projectId!, parent: kind, parentId, within };
  }

  private findParent(actor: Actor, kind: ImageParent['kind'], key: RowKey, within: Within) {
    switch (kind) {
      case 'computeResource':
        return this.resourcesService.get(actor, within, key);
      case 'operatingSystem':
        return this.systemsService.get(actor, key);
      case 'architecture':
        return this.architecturesService.get(actor, key);
    }
  }

  /** Where an image is to be: where it is, or another compute resource of the project that the request sees. */
  private async target(
    actor: Actor,
    within: Within,
    before: ProvisioningImage,
    wanted: Reference | undefined,
  ): Promise<ComputeResource | null> {
    const projectId = actor.projectId!;
    if (wanted === undefined) return this.resources.findForShare(projectId, before.computeResourceId);
    return this.find('compute_resource', wanted, {
      byId: (id) => this.resources.findForShare(projectId, id, within),
      byName: (name) => this.resources.findByNameForShare(projectId, name, within),
    });
  }

  private findSystem(reference: Reference) {
    return this.find('operatingsystem', reference, {
      byId: (id) => this.systems.findById(id),
      byName: (title) => this.systems.findByTitle(title),
    });
  }

  private findArchitecture(reference: Reference) {
    return this.find('architecture', reference, {
      byId: (id) => this.architectures.findById(id),
      byName: (name) => this.architectures.findByName(name),
    });
  }

  /** @throws ReferenceNotFoundError nothing has the name; a number that nothing has is a fault of the record */
  private async find<Row extends { readonly id: number }>(
    noun: Noun,
    reference: Reference,
    finders: { byId(id: number): Promise<Row | null>; byName(name: string): Promise<Row | null> },
  ): Promise<Row | null> {
    if (reference === null) return null;
    if ('id' in reference) return finders.byId(reference.id);
    const found = isStorable(reference.name) ? await finders.byName(reference.name) : null;
    if (!found) throw new ReferenceNotFoundError(noun, reference.name);
    return found;
  }

  /**
   * What is stored, if nothing is wrong with it.
   * @param before null: it is new
   * @throws RecordInvalidError with everything that is wrong
   */
  private async check(
    actor: Actor,
    draft: Draft,
    change: UpdateProvisioningImage,
    password: string | null,
    before: ProvisioningImage | null,
  ): Promise<Omit<StoredImage, 'id' | 'sealedPassword'>> {
    const faults = new FaultList();
    for (const attribute of ['name', 'username', 'uuid'] as const) faults.required(attribute, draft[attribute]);
    faults.short('iamRole', draft.iamRole);
    faults.short('password', password);
    for (const attribute of ['operatingSystem', 'architecture', 'computeResource'] as const) {
      const asked = change[attribute];
      if (draft[attribute] === null) faults.add(attribute, { reason: asked ? 'missing' : 'blank' });
    }
    const uuid = faults.has('uuid') ? draft.uuid : await this.checkTarget(actor, draft, before, faults);
    await this.checkUnique({ ...draft, uuid }, before, faults);
    faults.check('image', before?.id ?? null);
    return {
      projectId: draft.computeResource!.projectId,
      computeResourceId: draft.computeResource!.id,
      operatingSystemId: draft.operatingSystem!.id,
      architectureId: draft.architecture!.id,
      name: draft.name!,
      username: draft.username!,
      uuid: uuid!,
      userData: draft.userData,
      iamRole: draft.iamRole,
    };
  }

  /** Looks at the image of the registry where there is one to look at; returns its id as the registry writes it. */
  private async checkTarget(
    actor: Actor,
    { computeResource, architecture, uuid }: Draft,
    before: ProvisioningImage | null,
    faults: FaultList,
  ): Promise<string | null> {
    if (!computeResource || !isOfRegistry(computeResource.provider)) return uuid;
    const isNew = before === null || before.uuid !== uuid || before.computeResourceId !== computeResource.id;
    if (!isNew && architecture?.id === before.architectureId) return uuid;
    const image = await this.findImage(actor, uuid!);
    if (isNew && image?.status !== 'active') {
      faults.add('uuid', { reason: 'not_found_in', computeResource: computeResource.name });
      return uuid;
    }
    // A record may outlive its image, and is changed all the same.
    if (!image) return uuid;
    const differ =
      architecture && image.architecture && canonicalName(image.architecture) !== canonicalName(architecture.name);
    if (differ && this.config.foreman.checksArchitecture) faults.add('architecture', { reason: 'mismatch' });
    return image.id;
  }

  private async checkUnique(draft: Draft, before: ProvisioningImage | null, faults: FaultList): Promise<void> {
    const { computeResource, operatingSystem, name, uuid } = draft;
    const except = before?.id ?? 0;
    if (!computeResource) return;
    if (operatingSystem && name !== null && !faults.has('name')) {
      const key = { computeResourceId: computeResource.id, operatingSystemId: operatingSystem.id, name };
      if (await this.records.isNameTaken(key, except)) faults.add('name', { reason: 'taken' });
    }
    if (uuid !== null && !faults.has('uuid')) {
      const taken = await this.records.isUuidTaken({ computeResourceId: computeResource.id, uuid }, except);
      if (taken) faults.add('uuid', { reason: 'taken' });
    }
  }

  /** An image of the registry that the project sees, in whatever status. */
  private async findImage(actor: Actor, uuid: string): Promise<Image | null> {
    if (!isUuid(uuid, true)) return null;
    try {
      return await this.images.get(asReader(actor), uuid);
    } catch (error) {
      if (error instanceof ImageNotFoundError) return null;
      throw error;
    }
  }

  /** Holds on to what the record points at now, and lets go of what it pointed at before. */
  private async pin(
    before: ProvisioningImage | null,
    resource: ComputeResource,
    after: { readonly id: number; readonly uuid: string },
    recordId: number | null,
  ): Promise<void> {
    const pinned = before && isOfRegistry(before.computeResourceProvider) ? before.uuid : null;
    const wanted = isOfRegistry(resource.provider) ? after.uuid : null;
    if (pinned === wanted) return;
    if (pinned !== null) await this.pins.unpin(pinned, holderOf(after.id));
    if (wanted === null || (await this.pins.pin(wanted, resource.projectId, holderOf(after.id)))) return;
    // It went just now.
    throw refusal('image', recordId, 'uuid', { reason: 'not_found_in', computeResource: resource.name });
  }

  private seal(id: number, password: string | null): Promise<Buffer> | null {
    return password === null ? null : this.secrets.seal(password, holderOf(id));
  }

  /** Whoever was faster with the name, the image or the removal of what it refers to. */
  private async storing(id: number | null, work: () => Promise<ProvisioningImage>): Promise<ProvisioningImage> {
    try {
      return await this.uow.run(work);
    } catch (error) {
      if (isUniqueViolation(error, 'provisioning_images_uuid_unique')) {
        throw refusal('image', id, 'uuid', { reason: 'taken' });
      }
      if (isUniqueViolation(error)) throw refusal('image', id, 'name', { reason: 'taken' });
      for (const [attribute, constraint] of REFERENCES) {
        if (isMissingReference(error, constraint)) throw refusal('image', id, attribute, { reason: 'missing' });
      }
      throw error;
    }
  }
}

const REFERENCES = [
  ['operatingSystem', 'provisioning_images_operating_system_id_fkey'],
  ['architecture', 'provisioning_images_architecture_id_fkey'],
  ['computeResource', 'provisioning_images_compute_resource_id_fkey'],
] as const;

function isOfRegistry(provider: string): boolean {
  return provider === REGISTRY_PROVIDER;
}

function holderOf(id: number): string {
  return `provisioning_image/${id}`;
}

function scopeOf({ projectId, id }: ComputeResource): ImageScope {
  return { projectId, parent: 'computeResource', parentId: id, within: EVERYWHERE };
}

function orElse(reference: Reference | undefined, id: number): Reference {
  return reference === undefined ? { id } : reference;
}
