import { eventually } from '../../support/eventually.js';
import type { Actor } from './actors.js';
import type { Change, Reply } from './acts.js';
import { customShows, holdsDeleted, type Image, imsChanges, mayChange } from './model.js';

const removal = (
  allowed: (actor: Actor, image: Image) => boolean,
  call: Change['call'],
  life: Image['life'] = 'deleted',
): Change => ({
  allowed: ({ actor, catalogue }, image) => allowed(actor, image) && !image.protected && !catalogue.isPinned(image),
  call,
  effect: (image) => {
    image.life = life;
  },
});

/** Whether others than its project see it. */
const isShared = ({ visibility, members }: Image): boolean =>
  visibility === 'public' || visibility === 'community' || (visibility === 'shared' && members.size > 0);
const clusterDeletes = (actor: Actor, image: Image): boolean =>
  customShows(actor, image) && actor.writes && !image.protected;

/** Deletions and what may follow on them. */
export const REMOVALS: Record<string, Change> = {
  glanceDelete: removal(mayChange, ({ actor }, { id }) => actor.glance.ask('DELETE', `/v2/images/${id}`)),
  novaDelete: removal(mayChange, ({ actor }, { id }) => actor.nova.delete(`/images/${id}`)),
  imsDelete: removal(imsChanges, ({ actor }, { id }) => actor.ims.delete(`/v3/images/${id}`, actor.token)),
  imsDeleteForGood: removal(
    imsChanges,
    ({ actor }, { id }) => actor.ims.delete(`/v2/images/${id}`, actor.token),
    'purged',
  ),
  clusterDelete: {
    allowed: ({ actor, catalogue }, image) =>
      clusterDeletes(actor, image) && !catalogue.isPinned(image) && !isShared(image),
    call: ({ actor }, image) => deleteCustom(actor, image, false),
    effect: withoutCustom,
  },
  clusterDeleteForced: {
    allowed: ({ actor }, image) => clusterDeletes(actor, image),
    call: ({ actor }, image) => deleteCustom(actor, image, true),
    effect: withoutCustom,
  },
  undelete: {
    allowed: ({ actor, catalogue }, image) =>
      holdsDeleted(actor, image) && actor.writes && catalogue.hasRoom(image.project),
    call: ({ actor }, { id }) => actor.ims.patch(`/v3/deleted/images/${id}`, { operation: 'undelete' }, actor.token),
    effect: (image) => {
      image.life = 'here';
    },
  },
  purge: {
    allowed: ({ actor }, image) => holdsDeleted(actor, image) && actor.writes,
    call: ({ actor }, { id }) => actor.ims.delete(`/v3/deleted/images/${id}`, actor.token),
    effect: (image) => {
      image.life = 'purged';
    },
  },
};

/** Deletes a ParallelCluster image and waits until it is gone, for which a worker is needed. */
async function deleteCustom({ cluster }: Actor, { custom }: Image, force: boolean): Promise<Reply> {
  const path = `/custom/${custom ?? 'none-such'}`;
  const accepted = await cluster.delete(`${path}?force=${force}`);
  if (accepted.status !== 202) return accepted;
  await eventually(async () => (await cluster.get(path)).status === 404);
  return accepted;
}

/** The image could come back; the name that stood for it is given up. */
function withoutCustom(image: Image): void {
  image.life = 'deleted';
  image.custom = null;
}
