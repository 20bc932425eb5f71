import { Injectable } from '@nestjs/common';
import { isMissingReference, isUniqueViolation } from '../../../platform/database/database.errors.js';
import { isStorable } from '../../../platform/database/storable-text.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { type Image, ImagesService } from '../../images/index.js';
import type { Actor } from '../../tenancy/index.js';
import { ChangeLog } from '../change-log.js';
import { FaultList, refusal } from '../fault-list.js';
import { ImageMentionsRepository } from '../image-mentions.repository.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { mayChange, mayView } from '../permissions.js';
import { RowNotFoundError } from '../provisioning.errors.js';
import {
  type ComputeResource,
  type ComputeResourceDetail,
  type ComputeResourceField,
  type CreateComputeResource,
  EVERYWHERE,
  REGISTRY_PROVIDER,
  type Within,
} from '../provisioning.types.js';
import { asReader } from '../registry-viewer.js';
import type { RowKey } from '../row-key.js';
import { ComputeResourcesRepository } from './compute-resources.repository.js';

/** Longest address. */
const URL_MAXIMUM = 2_000;

/** Where the images of a project are. One is the registry itself; the others are names that members give. */
@Injectable()
export class ComputeResourcesService {
  constructor(
    private readonly resources: ComputeResourcesRepository,
    private readonly mentions: ImageMentionsRepository,
    private readonly images: ImagesService,
    private readonly changes: ChangeLog,
    private readonly uow: UnitOfWork,
  ) {}

  /** Makes sure that the actor's project has what every project has. Repeatable, by any number of processes. */
  async ensureBuiltIn(actor: Actor): Promise<void> {
    if (actor.projectId === null || (await this.resources.hasBuiltIn(actor.projectId))) return;
    await this.resources.ensureBuiltIn(actor.projectId);
  }

  /** @throws NotPermittedError */
  list(actor: Actor, within: Within, query: RowQuery<ComputeResourceField>): Promise<RowPage<ComputeResource>> {
    mayView(actor, 'view_compute_resources');
    return this.resources.page(actor.projectId!, within, query);
  }

  /** @throws NotPermittedError, RowNotFoundError */
  async get(actor: Actor, within: Within, key: RowKey): Promise<ComputeResource> {
    mayView(actor, 'view_compute_resources');
    const found = await this.resources.find(actor.projectId!, within, key);
    if (!found) throw new RowNotFoundError('compute_resource', key.name);
    return found;
  }

  /** With its locations and its images. @throws NotPermittedError, RowNotFoundError */
  async describe(actor: Actor, within: Within, key: RowKey): Promise<ComputeResourceDetail> {
    return this.detail(await this.get(actor, within, key));
  }

  /**
   * What its images may point at: active images of the registry that the project sees, newest first, read as they are
   * consumed; none of any other provider.
   * @throws NotPermittedError, RowNotFoundError
   */
  async *availableImages(actor: Actor, within: Within, key: RowKey): AsyncGenerator<Image, void, undefined> {
    const { provider } = await this.get(actor, within, key);
    if (provider !== REGISTRY_PROVIDER) return;
    yield* this.images.stream(asReader(actor), {
      scope: { kind: 'visible', memberStatus: 'accepted' },
      filter: { statuses: ['active'], hidden: false },
      sort: [{ key: 'createdAt', direction: 'desc' }],
    });
  }

  /** Before what it is to be is read. @throws NotPermittedError */
  mayCreate(actor: Actor): void {
    mayChange(actor, 'create_compute_resources');
  }

  /** @throws NotPermittedError, RecordInvalidError */
  create(actor: Actor, within: Within, asked: CreateComputeResource): Promise<ComputeResourceDetail> {
    this.mayCreate(actor);
    const wanted = trimmed(asked);
    check(null, wanted);
    return this.storing(null, async () => {
      const id = await this.resources.insert(actor.projectId!, wanted);
      await this.place(id, wanted.locationIds ?? (within.locationId === null ? null : [within.locationId]), null);
      const created = (await this.resources.findForShare(actor.projectId!, id))!;
      await this.changes.record(actor, 'compute_resource', 'created', created, created.projectId);
      return this.detail(created);
    });
  }

  /**
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError also for another provider of the registry itself, or of what has images
   */
  async update(
    actor: Actor,
    within: Within,
    key: RowKey,
    change: Partial<CreateComputeResource>,
  ): Promise<ComputeResourceDetail> {
    mayChange(actor, 'edit_compute_resources');
    const { id } = await this.get(actor, within, key);
    return this.storing(id, async () => {
      const found = await this.resources.findForUpdate(actor.projectId!, id);
      if (!found) throw new RowNotFoundError('compute_resource', key.name);
      const wanted = { ...found, ...trimmed(change) };
      check(id, wanted);
      if (wanted.provider !== found.provider) await this.mayChangeProvider(found);
      await this.resources.update(id, wanted);
      if (change.locationIds) await this.place(id, change.locationIds, id);
      const changed = (await this.resources.findForShare(actor.projectId!, id))!;
      await this.changes.record(actor, 'compute_resource', 'updated', changed, changed.projectId);
      return this.detail(changed);
    });
  }

  /**
   * @throws NotPermittedError, RowNotFoundError
   * @throws RecordInvalidError it has images, or is the registry itself
   */
  async remove(actor: Actor, within: Within, key: RowKey): Promise<ComputeResource> {
    mayChange(actor, 'destroy_compute_resources');
    const found = await this.get(actor, within, key);
    if (found.builtIn) throw refusal('compute_resource', found.id, 'base', { reason: 'built_in' });
    try {
      await this.uow.run(async () => {
        const locked = await this.resources.findForUpdate(actor.projectId!, found.id);
        if (!locked) throw new RowNotFoundError('compute_resource', key.name);
        await this.resources.remove(found.id);
        await this.changes.record(actor, 'compute_resource', 'deleted', found, found.projectId);
      });
    } catch (error) {
      if (!isMissingReference(error)) throw error;
      const names = await this.mentions.names('compute_resource_id', found.id);
      throw refusal('compute_resource', found.id, 'base', { reason: 'in_use', names });
    }
    return found;
  }

  private async detail(row: ComputeResource): Promise<ComputeResourceDetail> {
    return {
      row,
      locations: await this.resources.locations(row.id),
      images: await this.mentions.of('compute_resource_id', row.id, row.projectId, EVERYWHERE),
    };
  }

  /** @param knownId null: nobody knows the compute resource yet */
  private async place(id: number, locationIds: readonly number[] | null, knownId: number | null): Promise<void> {
    if (locationIds === null) await this.resources.addAllLocations(id);
    else if (!(await this.resources.setLocations(id, locationIds))) {
      throw refusal('compute_resource', knownId, 'locations', { reason: 'missing' });
    }
  }

  /** What its images point at would be something else. */
  private async mayChangeProvider({ id, builtIn }: ComputeResource): Promise<void> {
    if (builtIn) throw refusal('compute_resource', id, 'provider', { reason: 'built_in' });
    const names = await this.mentions.names('compute_resource_id', id);
    if (names.length > 0) throw refusal('compute_resource', id, 'provider', { reason: 'in_use', names });
  }

  private async storing(id: number | null, work: () => Promise<ComputeResourceDetail>): Promise<ComputeResourceDetail> {
    try {
      return await this.uow.run(work);
    } catch (error) {
      if (isUniqueViolation(error)) throw refusal('compute_resource', id, 'name', { reason: 'taken' });
      throw error;
    }
  }
}

function check(id: number | null, wanted: Omit<CreateComputeResource, 'locationIds'>): void {
  const faults = new FaultList();
  faults.required('name', wanted.name);
  faults.required('provider', wanted.provider);
  if ((wanted.description?.length ?? 0) > URL_MAXIMUM)
    faults.add('description', { reason: 'too_long', maximum: URL_MAXIMUM });
  if ((wanted.url?.length ?? 0) > URL_MAXIMUM) faults.add('url', { reason: 'too_long', maximum: URL_MAXIMUM });
  if (wanted.url !== null && bringsCredentials(wanted.url)) faults.add('url', { reason: 'credentials' });
  for (const attribute of ['description', 'url'] as const) {
    if (!isStorable(wanted[attribute] ?? '')) faults.add(attribute, { reason: 'characters' });
  }
  faults.check('compute_resource', id);
}

/**
 * Whether an address has a secret before its host, which every member would see. Of the web that is anything in front of an
 * `@`, where tokens stand as well; elsewhere a user alone is none, as in `qemu+ssh://root@host/system`.
 */
function bringsCredentials(url: string): boolean {
  // Clients forgive blanks, and slashes that are missing or lean the other way.
  const plain = url.replace(/[\s\p{Cc}]/gu, '');
  const [, scheme = '', authority = ''] = /^(?:([a-z][\w+.-]*):[\\/]+)?([^\\/?#]*)/i.exec(plain)!;
  const user = authority.slice(0, Math.max(authority.lastIndexOf('@'), 0));
  return /^https?$/i.test(scheme) ? authority.includes('@') : /:|%3a/i.test(user);
}

/** Blanks around it are no part of an address; what is blank is none. */
function trimmed<T extends { readonly url?: string | null }>(values: T): T {
  return values.url === undefined ? values : { ...values, url: values.url?.trim() || null };
}
