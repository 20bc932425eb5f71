import { stringify } from 'yaml';
import type { Actor } from './actors.js';
import type { Reply } from './acts.js';
import {
  amiOf,
  architectureOf,
  type Catalogue,
  couldUse,
  customShows,
  holdsDeleted,
  type Image,
  imsShows,
  isOfKiln,
  OFFICIAL,
  sees,
} from './model.js';

const NOVA_STATUS = { queued: 'SAVING', active: 'ACTIVE', deactivated: 'UNKNOWN' } as const;
const AMI_STATE = { queued: 'PENDING', active: 'AVAILABLE', deactivated: 'INVALID' } as const;
const WIRE_ARCHITECTURE = { x86_64: 'x86_64', aarch64: 'arm64' } as const;
const INSTANCE_TYPE = { x86_64: 'm6i.large', aarch64: 'm6g.large' } as const;

const found = <T>({ status }: Reply, present: () => T): T | number | null =>
  status === 200 ? present() : status === 404 ? null : status;

/** What one of them sees of an image through each face; null: it is not there. */
export async function seen(actor: Actor, catalogue: Catalogue, image: Image): Promise<Record<string, unknown>> {
  const { id } = image;
  const { glance, nova, ims, cluster, token } = actor;
  const [shown, compute, newer, older, deleted, custom, parent, bindings] = await Promise.all([
    glance.show(id),
    nova.get(`/images/${id}`),
    ims.get(`/v3/images/${id}`, token),
    ims.get(`/v2/images/${id}`, token),
    ims.get(`/v3/deleted/images/${id}`, token),
    image.custom === null ? { status: 404 } : cluster.get(`/custom/${image.custom}`),
    tryAsParent(actor, image),
    bindingsSeen(actor, catalogue, image),
  ]);
  return {
    glance: found(shown, () => glanceImage(shown)),
    nova: found(compute, () => {
      const { name, status, metadata } = compute.body.image;
      return { name, status, properties: metadata };
    }),
    ims: found(newer, () => imsImage(newer)),
    imsOlder: found(older, () => imsImage(older)),
    deleted: found(deleted, () => ({ name: deleted.body.name, metadata: deleted.body.metadata })),
    custom: found(custom, () => customImage(custom)),
    parent,
    bindings,
  };
}

function glanceImage({ body }: Reply) {
  const { name, status, visibility, owner, protected: kept, tags, ...others } = body;
  const properties = Object.entries(others).filter(([each]) => /^(key-|origin|kiln_|architecture)/.test(each));
  return { name, status, visibility, owner, kept, tags: tags.toSorted(), properties: Object.fromEntries(properties) };
}

function imsImage({ body }: Reply) {
  return { name: body.name, arch: body.arch, metadata: body.metadata, linked: body.link !== null };
}

function customImage({ body }: Reply) {
  const { amiId, amiName, architecture, state, tags } = body.ec2AmiInfo;
  const own = tags.filter((tag: { key: string }) => !tag.key.startsWith('parallelcluster:'));
  const metadata = Object.fromEntries(own.map((tag: { key: string; value: string }) => [tag.key, tag.value]));
  return { amiId, name: amiName, architecture, state, metadata };
}

/** Whether a build could start from an image; nothing is built. */
async function tryAsParent({ cluster }: Actor, image: Image): Promise<number> {
  const { status } = await cluster.build(
    {
      imageId: 'never-built',
      imageConfiguration: stringify({
        Build: { InstanceType: INSTANCE_TYPE[architectureOf(image)], ParentImage: amiOf(image) },
      }),
    },
    '?dryrun=true',
  );
  return status;
}

async function bindingsSeen({ foreman, rows }: Actor, catalogue: Catalogue, image: Image): Promise<unknown[]> {
  const ids = catalogue.bindings.filter(({ imageId }) => imageId === image.id).map(({ id }) => id);
  return Promise.all(
    ids.map(async (id) => {
      const reply = await foreman.get(`/api/compute_resources/${rows.kiln}/images/${id}`);
      return found(reply, () => ({ id, uuid: reply.body.uuid, name: reply.body.name }));
    }),
  );
}

/** What the model says of that. */
export function expected(actor: Actor, catalogue: Catalogue, image: Image): Record<string, unknown> {
  const { name, status, visibility, project: owner, protected: kept, properties } = image;
  const metadata = metadataOf(image);
  const record = {
    name: name || image.id,
    arch: architectureOf(image),
    metadata,
    linked: status !== 'queued',
  };
  const shown = sees(actor, image);
  const bindings = catalogue.bindings.filter(({ imageId }) => imageId === image.id);
  return {
    glance: shown ? { name, status, visibility, owner, kept, tags: [...image.tags].sort(), properties } : null,
    nova: shown ? { name, status: NOVA_STATUS[status], properties } : null,
    ims: imsShows(actor, image) ? record : null,
    imsOlder: imsShows(actor, image) ? record : null,
    deleted: holdsDeleted(actor, image) ? { name: record.name, metadata } : null,
    custom: customShows(actor, image)
      ? {
          amiId: amiOf(image),
          name: record.name,
          architecture: WIRE_ARCHITECTURE[architectureOf(image)],
          state: AMI_STATE[status],
          metadata,
        }
      : null,
    parent: statusAsParent(actor, catalogue, image),
    bindings: bindings.map((binding) =>
      binding.project === actor.project ? { id: binding.id, uuid: image.id, name: binding.name } : null,
    ),
  };
}

function metadataOf({ properties }: Image): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([each]) => each !== 'architecture' && !isOfKiln(each)));
}

function statusAsParent(actor: Actor, catalogue: Catalogue, image: Image): number {
  if (!actor.writes) return 401;
  if (!image.hasRoot || !couldUse(actor, image)) return 400;
  return catalogue.hasRoom(actor.project) ? 412 : 429;
}

/** Which of the images each list of each face has. */
export async function listed(actor: Actor, { images, bindings }: Catalogue): Promise<Record<string, string[]>> {
  const { glance, nova, ims, cluster, foreman, rows, token } = actor;
  const resource = `/api/compute_resources/${rows.kiln}`;
  const [shown, compute, newer, deleted, custom, official, available, bound] = await Promise.all([
    glance.ask('GET', '/v2/images?limit=1000'),
    nova.get('/images?limit=1000'),
    ims.get('/v3/images', token),
    ims.get('/v3/deleted/images', token),
    cluster.get('/custom?imageStatus=AVAILABLE'),
    cluster.get('/official'),
    foreman.get(`${resource}/available_images`),
    foreman.list(`${resource}/images`, { per_page: 'all' }),
  ]);
  const those = (ids: string[]): string[] => images.map(({ id }) => id).filter((id) => ids.includes(id));
  const ids = (list: { id: string }[]): string[] => those(list.map(({ id }) => id));
  const amis = new Map(images.map((image) => [amiOf(image), image.id]));
  const names = new Set(bindings.map(({ name }) => name));
  return {
    glance: ids(shown.body.images),
    nova: ids(compute.body.images),
    ims: ids(newer.body),
    deleted: ids(deleted.body),
    custom: those(custom.body.images.map((one: any) => amis.get(one.ec2AmiInfo.amiId))),
    official: those(official.body.images.map((one: any) => amis.get(one.amiId))),
    available: those(available.body.map(({ uuid }: { uuid: string }) => uuid)),
    bound: bound.map(({ name }) => name).filter((name) => names.has(name)),
  };
}

/** What the model says of those. */
export function expectedLists(actor: Actor, catalogue: Catalogue): Record<string, string[]> {
  const { images, bindings } = catalogue;
  const those = (shown: (image: Image) => boolean): string[] => images.filter(shown).map(({ id }) => id);
  const own = (image: Image): boolean => image.life === 'here' && image.project === actor.project;
  // Nobody is bothered with what a community has, unless it is asked for.
  const offered = ({ visibility, members }: Image): boolean =>
    visibility === 'public' || (visibility === 'shared' && members.get(actor.project) === 'accepted');
  const granted = (image: Image): boolean =>
    image.life === 'here' && ((actor.admin && image.visibility !== 'community') || offered(image));
  const official = newestOfficial(images);
  return {
    glance: those((image) => own(image) || granted(image)),
    nova: those((image) => own(image) || granted(image)),
    ims: those(own),
    deleted: those((image) => image.life === 'deleted' && image.project === actor.project),
    custom: those((image) => customShows(actor, image)),
    official: those((image) => official.has(image)),
    available: those((image) => couldUse(actor, image) && (own(image) || offered(image))),
    bound: bindings.filter(({ project }) => project === actor.project).map(({ name }) => name),
  };
}

/** One an operating system and architecture: the last that was made. */
function newestOfficial(images: readonly Image[]): Set<Image> {
  const newest = new Map<string, Image>();
  for (const image of images) {
    const { life, visibility, status, properties } = image;
    if (life !== 'here' || visibility !== 'public' || status !== 'active' || !properties[OFFICIAL]) continue;
    newest.set(`${properties[OFFICIAL]} ${architectureOf(image)}`, image);
  }
  return new Set(newest.values());
}
