import { eventually } from '../../support/eventually.js';
import { BETA } from '../../support/kiln.js';
import { type Change, key, nothing, type Turn, VISIBILITIES } from './acts.js';
import { type Image, imsChanges, isOfKiln, mayChange, OFFICIAL, sees } from './model.js';

const json = { 'content-type': 'application/json' };

const patch =
  (change: (n: number) => object): Change['call'] =>
  ({ actor, n }, { id }) =>
    actor.glance.patch(id, [change(n)]);
const changes: Change['allowed'] = ({ actor }, image) => mayChange(actor, image);
const has = (image: Image, n: number): boolean => Object.hasOwn(image.properties, key(n));
const ofKiln = (properties: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => isOfKiln(name)));

/** Attributes, metadata, members and states. */
export const CHANGES: Record<string, Change> = {
  glanceRename: {
    allowed: changes,
    call: patch((n) => ({ op: 'replace', path: '/name', value: n % 5 === 0 ? '' : `renamed ${n}` })),
    effect: (image, { n }) => {
      image.name = n % 5 === 0 ? '' : `renamed ${n}`;
    },
  },
  glanceProperty: {
    allowed: changes,
    call: patch((n) => ({ op: 'add', path: `/${key(n)}`, value: `glance ${n}` })),
    effect: (image, { n }) => {
      image.properties[key(n)] = `glance ${n}`;
    },
  },
  glanceRemoveProperty: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && has(image, n),
    call: patch((n) => ({ op: 'remove', path: `/${key(n)}` })),
    effect: (image, { n }) => {
      delete image.properties[key(n)];
    },
  },
  glanceReservedProperty: {
    allowed: () => false,
    call: patch(() => ({ op: 'add', path: '/kiln_content', value: 'mine' })),
    effect: nothing,
  },
  novaAdd: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.nova.post(`/images/${id}/metadata`, { metadata: { [key(n)]: `nova ${n}` } }),
    effect: (image, { n }) => {
      image.properties[key(n)] = `nova ${n}`;
    },
  },
  novaReplace: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.nova.put(`/images/${id}/metadata`, { metadata: { [key(n)]: `all ${n}` } }),
    effect: (image, { n }) => {
      image.properties = { ...ofKiln(image.properties), [key(n)]: `all ${n}` };
    },
  },
  novaSet: {
    allowed: changes,
    call: ({ actor, n }, { id }) =>
      actor.nova.put(`/images/${id}/metadata/${key(n)}`, { meta: { [key(n)]: `one ${n}` } }),
    effect: (image, { n }) => {
      image.properties[key(n)] = `one ${n}`;
    },
  },
  novaRemove: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && has(image, n),
    call: ({ actor, n }, { id }) => actor.nova.delete(`/images/${id}/metadata/${key(n)}`),
    effect: (image, { n }) => {
      delete image.properties[key(n)];
    },
  },
  novaReserved: {
    allowed: () => false,
    call: ({ actor }, { id }) => actor.nova.post(`/images/${id}/metadata`, { metadata: { kiln_job_id: 'mine' } }),
    effect: nothing,
  },
  imsSet: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) =>
      actor.ims.patch(
        `/v3/images/${id}`,
        { metadata: { operation: 'set', key: key(n), value: `ims ${n}` } },
        actor.token,
      ),
    effect: (image, { n }) => {
      image.properties[key(n)] = `ims ${n}`;
    },
  },
  imsRemove: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) =>
      actor.ims.patch(`/v2/images/${id}`, { metadata: { operation: 'remove', key: key(n) } }, actor.token),
    effect: (image, { n }) => {
      delete image.properties[key(n)];
    },
  },
  imsReserved: {
    allowed: () => false,
    call: ({ actor }, { id }) =>
      actor.ims.patch(
        `/v3/images/${id}`,
        { metadata: { operation: 'set', key: 'kiln_x', value: 'mine' } },
        actor.token,
      ),
    effect: nothing,
  },
  imsArch: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) =>
      actor.ims.patch(`/v3/images/${id}`, { arch: n % 2 ? 'x86_64' : 'aarch64' }, actor.token),
    effect: (image, { n }) => {
      image.properties.architecture = n % 2 ? 'x86_64' : 'aarch64';
    },
  },
  tag: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.glance.ask('PUT', `/v2/images/${id}/tags/${key(n)}`),
    effect: (image, { n }) => {
      image.tags.add(key(n));
    },
  },
  untag: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && image.tags.has(key(n)),
    call: ({ actor, n }, { id }) => actor.glance.ask('DELETE', `/v2/images/${id}/tags/${key(n)}`),
    effect: (image, { n }) => {
      image.tags.delete(key(n));
    },
  },
  visibility: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && (n % 4 !== 3 || actor.admin),
    call: patch((n) => ({ op: 'replace', path: '/visibility', value: VISIBILITIES[n % 4] })),
    effect: (image, { n }) => {
      image.visibility = VISIBILITIES[n % 4]!;
    },
  },
  protect: {
    allowed: changes,
    call: patch((n) => ({ op: 'replace', path: '/protected', value: n % 3 === 0 })),
    effect: (image, { n }) => {
      image.protected = n % 3 === 0;
    },
  },
  share: {
    allowed: ({ actor }, image) => mayChange(actor, image) && image.visibility === 'shared' && !image.members.has(BETA),
    call: ({ actor }, { id }) => actor.glance.ask('POST', `/v2/images/${id}/members`, { member: BETA }, json),
    effect: (image) => {
      image.members.set(BETA, 'pending');
    },
  },
  answerShare: {
    allowed: ({ actor }, image) =>
      sees(actor, image) &&
      image.visibility === 'shared' &&
      image.members.has(BETA) &&
      (actor.admin || actor.project === BETA),
    call: ({ actor, n }, { id }) =>
      actor.glance.ask('PUT', `/v2/images/${id}/members/${BETA}`, { status: n % 3 ? 'accepted' : 'rejected' }, json),
    effect: (image, { n }) => {
      image.members.set(BETA, n % 3 ? 'accepted' : 'rejected');
    },
  },
  unshare: {
    allowed: ({ actor }, image) => mayChange(actor, image) && image.visibility === 'shared' && image.members.has(BETA),
    call: ({ actor }, { id }) => actor.glance.ask('DELETE', `/v2/images/${id}/members/${BETA}`),
    effect: (image) => {
      image.members.delete(BETA);
    },
  },
  upload: {
    allowed: ({ actor }, image) => mayChange(actor, image) && image.status === 'queued' && image.hasFormats,
    call: async ({ actor, n }, { id }) => {
      const reply = await actor.glance.upload(id, `bytes ${n}`);
      // The manifest that IMS links to is written behind the upload's back.
      if (reply.status === 204)
        await eventually(async () => (await actor.ims.get(`/v3/images/${id}`, actor.token)).body.link !== null);
      return reply;
    },
    effect: (image) => {
      image.status = 'active';
    },
  },
  deactivate: {
    allowed: ({ actor }, image) => mayChange(actor, image) && image.status !== 'queued',
    call: ({ actor }, { id }) => actor.glance.ask('POST', `/v2/images/${id}/actions/deactivate`),
    effect: (image) => {
      image.status = 'deactivated';
    },
  },
  reactivate: {
    allowed: ({ actor }, image) => mayChange(actor, image) && image.status !== 'queued',
    call: ({ actor }, { id }) => actor.glance.ask('POST', `/v2/images/${id}/actions/reactivate`),
    effect: (image) => {
      image.status = 'active';
    },
  },
  // The address that other faces show of an image is not for anybody to write.
  overwriteManifest: {
    allowed: () => false,
    call: async ({ actor, n }, image) => {
      // To others the address is one of their own, and free.
      if (actor.project !== image.project || image.status === 'queued' || image.life !== 'here') return { status: 409 };
      const { body } = await actor.ims.get(`/v3/images/${image.id}`, actor.token);
      const reply = await fetch(`${actor.glance.kiln.url}/artifacts/${body.link.path.slice('s3://'.length)}`, {
        method: n % 2 ? 'PUT' : 'DELETE',
        headers: { 'x-auth-token': actor.token },
        ...(n % 2 ? { body: 'other bytes' } : {}),
      });
      await reply.arrayBuffer();
      return reply;
    },
    effect: nothing,
  },
  createAgain: {
    allowed: () => false,
    call: ({ actor }, { id }) => actor.glance.ask('POST', '/v2/images', { id }),
    effect: nothing,
  },
};

const systemOf = (n: number): string => (n % 2 ? 'rocky9' : 'ubuntu2204');
const administers = ({ actor }: Turn, image: Image): boolean => actor.admin && mayChange(actor, image);

function flagging(call: Change['call'], allowed: Change['allowed'] = administers): Change {
  return {
    allowed,
    call,
    effect: (image, { n }) => {
      image.properties[OFFICIAL] = systemOf(n);
    },
  };
}

function unflagging(call: Change['call'], allowed: Change['allowed'] = administers): Change {
  return {
    allowed,
    call,
    effect: (image) => {
      delete image.properties[OFFICIAL];
    },
  };
}

const isFlagged: Change['allowed'] = (turn, image) =>
  administers(turn, image) && Object.hasOwn(image.properties, OFFICIAL);

/** The one property of Kiln's own that somebody writes: an administrator, on any face. */
export const FLAGGINGS: Record<string, Change> = {
  glanceFlag: flagging(patch((n) => ({ op: 'add', path: `/${OFFICIAL}`, value: systemOf(n) }))),
  novaFlag: flagging(({ actor, n }, { id }) =>
    actor.nova.put(`/images/${id}/metadata/${OFFICIAL}`, { meta: { [OFFICIAL]: systemOf(n) } }),
  ),
  imsFlag: flagging(({ actor, n }, { id }) => {
    const metadata = { operation: 'set', key: OFFICIAL, value: systemOf(n) };
    return actor.ims.patch(`/v3/images/${id}`, { metadata }, actor.token);
  }),
  glanceUnflag: unflagging(
    patch(() => ({ op: 'remove', path: `/${OFFICIAL}` })),
    isFlagged,
  ),
  novaUnflag: unflagging(({ actor }, { id }) => actor.nova.delete(`/images/${id}/metadata/${OFFICIAL}`), isFlagged),
  imsUnflag: unflagging(({ actor }, { id }) =>
    actor.ims.patch(`/v3/images/${id}`, { metadata: { operation: 'remove', key: OFFICIAL } }, actor.token),
  ),
};
