// Images are made, changed, shared, deleted and brought back through every face, and read through all others: there is one
// catalogue behind them, and what one face forbids no other allows. A model in memory says what must be.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { Client } from '../contract/glance/wire.js';
import { ImsClient } from '../contract/ims/wire.js';
import { NovaClient } from '../contract/nova/wire.js';
import { ALPHA, BETA, type RunningKiln, STANDARD_BOOTSTRAP, startKiln } from '../support/kiln.js';
import { SEED } from '../support/seed.js';

/** As many sequences as a minute allows; the setting makes it thousands. */
const RUNS = Number(process.env.KILN_TEST_CATALOGUE_RUNS ?? 12);
const LIMIT = 4;

let kiln: RunningKiln;
let ims: ImsClient;
let actors: Record<Name, Actor>;

type Name = 'alice' | 'rita' | 'bob' | 'root';

interface Actor {
  readonly project: string;
  readonly admin: boolean;
  /** Whether it may change what its project has. */
  readonly writes: boolean;
  readonly glance: Client;
  readonly nova: NovaClient;
}

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) => ({ ...project, limits: { images: LIMIT } }));
  kiln = await startKiln({
    bootstrap: { ...STANDARD_BOOTSTRAP, projects },
    env: { KILN_ROLE: 'api', KILN_DELETED_RETENTION: 'never' },
  });
  ims = new ImsClient(kiln);
  const of = async (name: Name, project: string, admin: boolean, writes: boolean): Promise<Actor> => {
    const token = await kiln.token(name);
    return { project, admin, writes, glance: new Client(kiln, token), nova: new NovaClient(kiln, token) };
  };
  actors = {
    alice: await of('alice', ALPHA, false, true),
    rita: await of('rita', ALPHA, false, false),
    bob: await of('bob', BETA, false, true),
    root: await of('root', ALPHA, true, true),
  };
});
afterAll(() => kiln?.stop());

/** What an image is, whoever made it. */
interface Image {
  readonly id: string;
  readonly project: string;
  name: string;
  status: 'queued' | 'active' | 'deactivated';
  visibility: 'private' | 'shared' | 'community' | 'public';
  protected: boolean;
  /** Glance takes bytes only where it was said what they are. */
  hasFormats: boolean;
  tags: Set<string>;
  properties: Record<string, string>;
  members: Map<string, 'pending' | 'accepted' | 'rejected'>;
  life: 'here' | 'deleted' | 'purged';
}

const isOpen = ({ visibility }: Image): boolean => visibility === 'public' || visibility === 'community';

/** The rules, once for all faces. */
const sees = (actor: Actor, image: Image): boolean =>
  image.life === 'here' &&
  (actor.admin ||
    actor.project === image.project ||
    isOpen(image) ||
    (image.visibility === 'shared' && image.members.has(actor.project)));
const mayChange = (actor: Actor, image: Image): boolean =>
  sees(actor, image) && (actor.admin || (actor.writes && actor.project === image.project));
/** IMS shows what a project has, and nothing of others. */
const imsShows = (actor: Actor, image: Image): boolean =>
  image.life === 'here' && (actor.admin || actor.project === image.project);
const imsChanges = (actor: Actor, image: Image): boolean => imsShows(actor, image) && mayChange(actor, image);
const holdsDeleted = (actor: Actor, image: Image): boolean =>
  image.life === 'deleted' && (actor.admin || actor.project === image.project);

class Catalogue {
  readonly images: Image[] = [];

  hasRoom(project: string): boolean {
    return this.images.filter((image) => image.project === project && image.life === 'here').length < LIMIT;
  }

  add(image: Pick<Image, 'id' | 'project'> & Partial<Image>): void {
    this.images.push({
      name: '',
      status: 'queued',
      visibility: 'private',
      protected: false,
      hasFormats: true,
      tags: new Set(),
      properties: {},
      members: new Map(),
      life: 'here',
      ...image,
    });
  }
}

interface Turn {
  readonly catalogue: Catalogue;
  readonly actor: Actor;
  readonly n: number;
}

interface Reply {
  readonly status: number;
  readonly body?: any;
}

/** Something that somebody does: whether it must succeed, the call, and what is so afterwards. */
interface Making {
  readonly allowed: (turn: Turn) => boolean;
  readonly call: (turn: Turn) => Promise<Reply>;
  readonly effect: (turn: Turn, reply: Reply) => void;
}
interface Change {
  readonly allowed: (turn: Turn, image: Image) => boolean;
  readonly call: (turn: Turn, image: Image) => Promise<Reply>;
  readonly effect: (image: Image, n: number) => void;
}

const VISIBILITIES = ['private', 'shared', 'community', 'public'] as const;
const key = (n: number): string => `key-${n % 3}`;
const token = (actor: Actor): string => actor.glance.token;
const json = { 'content-type': 'application/json' };

const makes = ({ catalogue, actor }: Turn): boolean => actor.writes && catalogue.hasRoom(actor.project);

const MAKINGS: Record<string, Making> = {
  glanceCreate: {
    allowed: (turn) => makes(turn) && (turn.n % 4 !== 3 || turn.actor.admin),
    call: ({ actor, n }) =>
      actor.glance.ask('POST', '/v2/images', {
        name: `image ${n}`,
        visibility: VISIBILITIES[n % 4],
        disk_format: 'raw',
        container_format: 'bare',
        tags: ['born'],
        origin: 'glance',
      }),
    effect: ({ catalogue, actor, n }, { body }) =>
      catalogue.add({
        id: body.id,
        project: actor.project,
        name: `image ${n}`,
        visibility: VISIBILITIES[n % 4]!,
        tags: new Set(['born']),
        properties: { origin: 'glance' },
      }),
  },
  ...Object.fromEntries(
    ['v3', 'v2'].map((version): [string, Making] => [
      `imsCreate_${version}`,
      {
        allowed: makes,
        call: ({ actor, n }) =>
          ims.post(`/${version}/images`, { name: `image ${n}`, metadata: { origin: 'ims' } }, token(actor)),
        effect: ({ catalogue, actor, n }, { body }) =>
          catalogue.add({
            id: body.id,
            project: actor.project,
            name: `image ${n}`,
            hasFormats: false,
            properties: { origin: 'ims' },
          }),
      },
    ]),
  ),
  imsCreateOfArtifacts: {
    allowed: makes,
    call: async ({ actor, n }) => {
      const folder = randomUUID();
      if (!actor.writes) return ims.post('/v3/images', { name: 'none' }, token(actor));
      const path = await ims.upload('boot-images', `${folder}/rootfs`, `root file system ${n}`, token(actor));
      const artifacts = [{ type: 'application/vnd.cray.image.rootfs.squashfs', link: { type: 's3', path } }];
      const text = JSON.stringify({ version: '1.0', artifacts });
      const manifest = await ims.upload('boot-images', `${folder}/manifest.json`, text, token(actor));
      return ims.post('/v3/images', { name: `image ${n}`, link: { type: 's3', path: manifest } }, token(actor));
    },
    effect: ({ catalogue, actor, n }, { body }) =>
      catalogue.add({
        id: body.id,
        project: actor.project,
        name: `image ${n}`,
        status: 'active',
        properties: { kiln_content: 'squashfs' },
      }),
  },
};

const patch =
  (change: (n: number) => object): Change['call'] =>
  ({ actor, n }, { id }) =>
    actor.glance.patch(id, [change(n)]);
const changes: Change['allowed'] = ({ actor }, image) => mayChange(actor, image);
const has = (image: Image, n: number): boolean => Object.hasOwn(image.properties, key(n));
const ofKiln = (properties: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => name.startsWith('kiln_')));
const removal = (
  allowed: (actor: Actor, image: Image) => boolean,
  call: Change['call'],
  life: Image['life'] = 'deleted',
): Change => ({
  allowed: ({ actor }, image) => allowed(actor, image) && !image.protected,
  call,
  effect: (image) => {
    image.life = life;
  },
});

const CHANGES: Record<string, Change> = {
  glanceRename: {
    allowed: changes,
    call: patch((n) => ({ op: 'replace', path: '/name', value: n % 5 === 0 ? '' : `renamed ${n}` })),
    effect: (image, n) => {
      image.name = n % 5 === 0 ? '' : `renamed ${n}`;
    },
  },
  glanceProperty: {
    allowed: changes,
    call: patch((n) => ({ op: 'add', path: `/${key(n)}`, value: `glance ${n}` })),
    effect: (image, n) => {
      image.properties[key(n)] = `glance ${n}`;
    },
  },
  glanceRemoveProperty: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && has(image, n),
    call: patch((n) => ({ op: 'remove', path: `/${key(n)}` })),
    effect: (image, n) => {
      delete image.properties[key(n)];
    },
  },
  glanceReservedProperty: {
    allowed: () => false,
    call: patch(() => ({ op: 'add', path: '/kiln_content', value: 'mine' })),
    effect: () => undefined,
  },
  novaAdd: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.nova.post(`/images/${id}/metadata`, { metadata: { [key(n)]: `nova ${n}` } }),
    effect: (image, n) => {
      image.properties[key(n)] = `nova ${n}`;
    },
  },
  novaReplace: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.nova.put(`/images/${id}/metadata`, { metadata: { [key(n)]: `all ${n}` } }),
    effect: (image, n) => {
      image.properties = { ...ofKiln(image.properties), [key(n)]: `all ${n}` };
    },
  },
  novaSet: {
    allowed: changes,
    call: ({ actor, n }, { id }) =>
      actor.nova.put(`/images/${id}/metadata/${key(n)}`, { meta: { [key(n)]: `one ${n}` } }),
    effect: (image, n) => {
      image.properties[key(n)] = `one ${n}`;
    },
  },
  novaRemove: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && has(image, n),
    call: ({ actor, n }, { id }) => actor.nova.delete(`/images/${id}/metadata/${key(n)}`),
    effect: (image, n) => {
      delete image.properties[key(n)];
    },
  },
  novaReserved: {
    allowed: () => false,
    call: ({ actor }, { id }) => actor.nova.post(`/images/${id}/metadata`, { metadata: { kiln_job_id: 'mine' } }),
    effect: () => undefined,
  },
  imsSet: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) =>
      ims.patch(`/v3/images/${id}`, { metadata: { operation: 'set', key: key(n), value: `ims ${n}` } }, token(actor)),
    effect: (image, n) => {
      image.properties[key(n)] = `ims ${n}`;
    },
  },
  imsRemove: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) =>
      ims.patch(`/v2/images/${id}`, { metadata: { operation: 'remove', key: key(n) } }, token(actor)),
    effect: (image, n) => {
      delete image.properties[key(n)];
    },
  },
  imsReserved: {
    allowed: () => false,
    call: ({ actor }, { id }) =>
      ims.patch(`/v3/images/${id}`, { metadata: { operation: 'set', key: 'kiln_x', value: 'mine' } }, token(actor)),
    effect: () => undefined,
  },
  imsArch: {
    allowed: ({ actor }, image) => imsChanges(actor, image),
    call: ({ actor, n }, { id }) => ims.patch(`/v3/images/${id}`, { arch: n % 2 ? 'x86_64' : 'aarch64' }, token(actor)),
    effect: (image, n) => {
      image.properties.architecture = n % 2 ? 'x86_64' : 'aarch64';
    },
  },
  tag: {
    allowed: changes,
    call: ({ actor, n }, { id }) => actor.glance.ask('PUT', `/v2/images/${id}/tags/${key(n)}`),
    effect: (image, n) => {
      image.tags.add(key(n));
    },
  },
  untag: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && image.tags.has(key(n)),
    call: ({ actor, n }, { id }) => actor.glance.ask('DELETE', `/v2/images/${id}/tags/${key(n)}`),
    effect: (image, n) => {
      image.tags.delete(key(n));
    },
  },
  visibility: {
    allowed: ({ actor, n }, image) => mayChange(actor, image) && (n % 4 !== 3 || actor.admin),
    call: patch((n) => ({ op: 'replace', path: '/visibility', value: VISIBILITIES[n % 4] })),
    effect: (image, n) => {
      image.visibility = VISIBILITIES[n % 4]!;
    },
  },
  protect: {
    allowed: changes,
    call: patch((n) => ({ op: 'replace', path: '/protected', value: n % 3 === 0 })),
    effect: (image, n) => {
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
    effect: (image, n) => {
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
    call: ({ actor, n }, { id }) => actor.glance.upload(id, `bytes ${n}`),
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
      const { body } = await ims.get(`/v3/images/${image.id}`, token(actor));
      const reply = await fetch(`${kiln.url}/artifacts/${body.link.path.slice('s3://'.length)}`, {
        method: n % 2 ? 'PUT' : 'DELETE',
        headers: { 'x-auth-token': token(actor) },
        ...(n % 2 ? { body: 'other bytes' } : {}),
      });
      await reply.arrayBuffer();
      return reply;
    },
    effect: () => undefined,
  },
  createAgain: {
    allowed: () => false,
    call: ({ actor }, { id }) => actor.glance.ask('POST', '/v2/images', { id }),
    effect: () => undefined,
  },
  glanceDelete: removal(mayChange, ({ actor }, { id }) => actor.glance.ask('DELETE', `/v2/images/${id}`)),
  novaDelete: removal(mayChange, ({ actor }, { id }) => actor.nova.delete(`/images/${id}`)),
  imsDelete: removal(imsChanges, ({ actor }, { id }) => ims.delete(`/v3/images/${id}`, token(actor))),
  imsDeleteForGood: removal(imsChanges, ({ actor }, { id }) => ims.delete(`/v2/images/${id}`, token(actor)), 'purged'),
  undelete: {
    allowed: ({ actor, catalogue }, image) =>
      holdsDeleted(actor, image) && actor.writes && catalogue.hasRoom(image.project),
    call: ({ actor }, { id }) => ims.patch(`/v3/deleted/images/${id}`, { operation: 'undelete' }, token(actor)),
    effect: (image) => {
      image.life = 'here';
    },
  },
  purge: {
    allowed: ({ actor }, image) => holdsDeleted(actor, image) && actor.writes,
    call: ({ actor }, { id }) => ims.delete(`/v3/deleted/images/${id}`, token(actor)),
    effect: (image) => {
      image.life = 'purged';
    },
  },
};

const NOVA_STATUS = { queued: 'SAVING', active: 'ACTIVE', deactivated: 'UNKNOWN' } as const;

/** What one of them sees of an image through each face; null: it is not there. */
async function seen(actor: Actor, { id }: Image): Promise<Record<string, unknown>> {
  const [glance, nova, newer, older, deleted] = await Promise.all([
    actor.glance.show(id),
    actor.nova.get(`/images/${id}`),
    ims.get(`/v3/images/${id}`, token(actor)),
    ims.get(`/v2/images/${id}`, token(actor)),
    ims.get(`/v3/deleted/images/${id}`, token(actor)),
  ]);
  const found = <T>({ status }: Reply, present: () => T): T | number | null =>
    status === 200 ? present() : status === 404 ? null : status;
  const record = ({ body }: Reply) => ({
    name: body.name,
    arch: body.arch,
    metadata: body.metadata,
    linked: body.link !== null,
  });
  return {
    glance: found(glance, () => {
      const { name, status, visibility, owner, protected: kept, tags, ...others } = glance.body;
      const properties = Object.entries(others).filter(([each]) => /^(key-|origin|kiln_|architecture)/.test(each));
      return {
        name,
        status,
        visibility,
        owner,
        kept,
        tags: tags.toSorted(),
        properties: Object.fromEntries(properties),
      };
    }),
    nova: found(nova, () => {
      const { name, status, metadata } = nova.body.image;
      return { name, status, properties: metadata };
    }),
    ims: found(newer, () => record(newer)),
    imsOlder: found(older, () => record(older)),
    deleted: found(deleted, () => ({ name: deleted.body.name, metadata: deleted.body.metadata })),
  };
}

/** What the model says of that. */
function expected(actor: Actor, image: Image): Record<string, unknown> {
  const { name, status, visibility, project: owner, protected: kept, properties } = image;
  const metadata = Object.fromEntries(
    Object.entries(properties).filter(([each]) => each !== 'architecture' && !each.startsWith('kiln_')),
  );
  const record = {
    name: name || image.id,
    arch: properties.architecture ?? 'x86_64',
    metadata,
    linked: status !== 'queued',
  };
  const shown = sees(actor, image);
  return {
    glance: shown ? { name, status, visibility, owner, kept, tags: [...image.tags].sort(), properties } : null,
    nova: shown ? { name, status: NOVA_STATUS[status], properties } : null,
    ims: imsShows(actor, image) ? record : null,
    imsOlder: imsShows(actor, image) ? record : null,
    deleted: holdsDeleted(actor, image) ? { name: record.name, metadata } : null,
  };
}

async function compare([who, reader]: [string, Actor], image: Image, after: string): Promise<void> {
  expect({ who, after, ...(await seen(reader, image)) }).toEqual({ who, after, ...expected(reader, image) });
}

/** Which of these images each list of each face has. */
async function listed(actor: Actor, { images }: Catalogue): Promise<Record<string, string[]>> {
  const [glance, nova, newer, deleted] = await Promise.all([
    actor.glance.ask('GET', '/v2/images?limit=1000'),
    actor.nova.get('/images?limit=1000'),
    ims.get('/v3/images', token(actor)),
    ims.get('/v3/deleted/images', token(actor)),
  ]);
  const those = (list: { id: string }[]): string[] => {
    const ids = new Set(list.map(({ id }) => id));
    return images.map(({ id }) => id).filter((id) => ids.has(id));
  };
  return {
    glance: those(glance.body.images),
    nova: those(nova.body.images),
    ims: those(newer.body),
    deleted: those(deleted.body),
  };
}

function expectedLists(actor: Actor, { images }: Catalogue): Record<string, string[]> {
  const those = (shown: (image: Image) => boolean): string[] => images.filter(shown).map(({ id }) => id);
  const own = (image: Image): boolean => image.life === 'here' && image.project === actor.project;
  const granted = (image: Image): boolean =>
    image.life === 'here' &&
    // Nobody is bothered with what a community has, unless it is asked for.
    ((actor.admin && image.visibility !== 'community') ||
      image.visibility === 'public' ||
      (image.visibility === 'shared' && image.members.get(actor.project) === 'accepted'));
  return {
    glance: those((image) => own(image) || granted(image)),
    nova: those((image) => own(image) || granted(image)),
    ims: those(own),
    deleted: those((image) => image.life === 'deleted' && image.project === actor.project),
  };
}

const names = fc.constantFrom<Name>('alice', 'alice', 'alice', 'bob', 'root', 'rita');
const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom(...Object.keys(MAKINGS)), actor: names, n: fc.nat(60) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constantFrom(...Object.keys(CHANGES)),
      actor: names,
      n: fc.nat(60),
      // Mostly of those that were made last, so that something happens to them.
      target: fc.nat(2),
    }),
  },
);

it(
  'there is one catalogue, whichever face is asked',
  async () => {
    const done = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(MAKINGS)),
        fc.array(step, { minLength: 6, maxLength: 16 }),
        async (first, steps) => {
          const catalogue = new Catalogue();
          try {
            for (const { act, actor: name, n, ...more } of [{ act: first, actor: 'alice' as const, n: 1 }, ...steps]) {
              const actor = actors[name];
              const turn = { catalogue, actor, n };
              const target = 'target' in more ? catalogue.images.at(-1 - (more.target as number)) : undefined;
              const making = MAKINGS[act];
              if (!making && !target) continue;
              const allowed = making ? making.allowed(turn) : CHANGES[act]!.allowed(turn, target!);
              const reply = await (making ? making.call(turn) : CHANGES[act]!.call(turn, target!));
              const taken = reply.status < 300;
              expect({ name, act, n, target, taken, status: reply.status }).toMatchObject({
                name,
                act,
                taken: allowed,
              });
              if (taken) {
                done.set(act, (done.get(act) ?? 0) + 1);
                if (making) making.effect(turn, reply);
                else CHANGES[act]!.effect(target!, n);
              }
              const touched = making ? catalogue.images.at(-1) : target;
              const after = `${name} ${act} ${n}`;
              if (touched) await Promise.all(Object.entries(actors).map((one) => compare(one, touched, after)));
            }
            for (const [who, reader] of Object.entries(actors)) {
              expect({ who, ...(await listed(reader, catalogue)) }).toEqual({
                who,
                ...expectedLists(reader, catalogue),
              });
            }
          } finally {
            await clear(catalogue);
          }
        },
      ),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );

    // What was refused every time would prove nothing.
    if (RUNS >= 500) expect([...Object.keys(MAKINGS), ...POSSIBLE].filter((act) => !done.has(act))).toEqual([]);
  },
  120_000 + RUNS * 20_000,
);

const POSSIBLE = Object.keys(CHANGES).filter((act) => !/Reserved|overwrite|Again/.test(act));

/** The next sequence finds room. */
async function clear({ images }: Catalogue): Promise<void> {
  for (const { id } of images) {
    await actors.root.glance.patch(id, [{ op: 'replace', path: '/protected', value: false }]);
    await ims.delete(`/v2/images/${id}`, token(actors.root));
    await ims.delete(`/v3/deleted/images/${id}`, token(actors.root));
  }
}
