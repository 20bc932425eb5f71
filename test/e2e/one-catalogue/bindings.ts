import { randomUUID } from 'node:crypto';
import type { Actor } from './actors.js';
import type { Change, Turn } from './acts.js';
import { type Architecture, type Binding, type Image, mayBind } from './model.js';

const architecture = (n: number): Architecture => (n % 3 ? 'x86_64' : 'aarch64');
const pathOf = ({ rows }: Actor, id: number): string => `/api/compute_resources/${rows.kiln}/images/${id}`;

/** The binding of the actor's project; else one that it may know nothing of, or none at all. */
function bindingOf({ actor, catalogue }: Turn, image: Image): Pick<Binding, 'id'> {
  const others = catalogue.bindings.find(({ imageId }) => imageId === image.id);
  return catalogue.bindingOf(image, actor.project) ?? others ?? { id: 0 };
}
const owns: Change['allowed'] = ({ actor, catalogue }, image) =>
  actor.writes && catalogue.bindingOf(image, actor.project) !== undefined;
/** The last one that the actor's project has made, of whatever image. */
const lastOf = ({ actor, catalogue }: Turn): Binding | undefined =>
  catalogue.bindings.findLast(({ project }) => project === actor.project);

/** What Foreman does: it binds an image to its project and keeps it there. */
export const BINDINGS: Record<string, Change> = {
  foremanBind: {
    allowed: ({ actor, catalogue, n }, image) => mayBind(actor, catalogue, image, architecture(n)),
    call: ({ actor, n }, { id }) =>
      actor.foreman.post(`/api/compute_resources/${actor.rows.kiln}/images`, {
        image: {
          name: `binding ${randomUUID()}`,
          username: 'root',
          uuid: id,
          operatingsystem_id: actor.rows.debian,
          architecture_id: n % 3 ? actor.rows.x86 : actor.rows.arm,
        },
      }),
    effect: ({ id: imageId }, { catalogue, actor, n }, { body }) => {
      const { id, name } = body;
      catalogue.bindings.push({ id, name, project: actor.project, imageId, architecture: architecture(n) });
    },
  },
  foremanRename: {
    allowed: owns,
    call: (turn, image) =>
      turn.actor.foreman.put(pathOf(turn.actor, bindingOf(turn, image).id), {
        image: { name: `name ${randomUUID()}` },
      }),
    effect: (image, { catalogue, actor }, { body }) => {
      catalogue.bindingOf(image, actor.project)!.name = body.name;
    },
  },
  // What it pointed at before is let go.
  foremanPoint: {
    allowed: (turn, image) => {
      const last = lastOf(turn);
      if (!last || !turn.actor.writes) return false;
      return last.imageId === image.id || mayBind(turn.actor, turn.catalogue, image, last.architecture);
    },
    call: (turn, { id }) => turn.actor.foreman.put(pathOf(turn.actor, lastOf(turn)?.id ?? 0), { image: { uuid: id } }),
    effect: ({ id }, turn) => {
      lastOf(turn)!.imageId = id;
    },
  },
  foremanUnbind: {
    allowed: owns,
    call: (turn, image) => turn.actor.foreman.delete(pathOf(turn.actor, bindingOf(turn, image).id)),
    effect: (image, { catalogue, actor }) => {
      const gone = catalogue.bindingOf(image, actor.project);
      catalogue.bindings = catalogue.bindings.filter((binding) => binding !== gone);
    },
  },
};
