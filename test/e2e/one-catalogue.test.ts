// Images are made, changed, shared, deleted and brought back through every face, and read through all others: there is one
// catalogue behind them, and what one face forbids no other allows. A model in memory says what must be.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SIGNING_BOOTSTRAP } from '../contract/parallelcluster/wire.js';
import { atOnce, type JobsApp, jobsApp } from '../integration/jobs/jobs-app.js';
import { type RunningKiln, startKiln } from '../support/kiln.js';
import { SEED } from '../support/seed.js';
import { type Actor, everybody, type Name } from './one-catalogue/actors.js';
import type { Change, Turn } from './one-catalogue/acts.js';
import { BINDINGS } from './one-catalogue/bindings.js';
import { CHANGES, FLAGGINGS } from './one-catalogue/changes.js';
import { MAKINGS } from './one-catalogue/makings.js';
import { Catalogue, type Image, LIMIT } from './one-catalogue/model.js';
import { expected, expectedLists, listed, seen } from './one-catalogue/readings.js';
import { REMOVALS } from './one-catalogue/removals.js';

/** As many sequences as a minute allows; the setting makes it thousands. */
const RUNS = Number(process.env.KILN_TEST_CATALOGUE_RUNS ?? 12);
const ENV = { KILN_DELETED_RETENTION: 'never' };

let kiln: RunningKiln;
/** Builds at once whatever ParallelCluster is asked for, and finishes its deletions. */
let worker: JobsApp;
let actors: Record<Name, Actor>;

beforeAll(async () => {
  const projects = SIGNING_BOOTSTRAP.projects.map((project) => ({ ...project, limits: { images: LIMIT + 1 } }));
  kiln = await startKiln({ bootstrap: { ...SIGNING_BOOTSTRAP, projects }, env: { ...ENV, KILN_ROLE: 'api' } });
  worker = await jobsApp(kiln.databaseUrl, kiln.dataDir, { working: true, script: atOnce, env: ENV });
  actors = await everybody(kiln);
}, 300_000);
afterAll(async () => {
  await worker?.app.close();
  await kiln?.stop();
});

const ALL_CHANGES: Record<string, Change> = { ...CHANGES, ...FLAGGINGS, ...REMOVALS, ...BINDINGS };
const POSSIBLE = [...Object.keys(MAKINGS), ...Object.keys(ALL_CHANGES)].filter(
  (act) => !/Reserved|overwrite|Again/.test(act),
);

const names = fc.constantFrom<Name>('alice', 'alice', 'alice', 'bob', 'root', 'rita');
// Mostly of those images that were made last, so that something happens to them.
const targets = fc.nat(2);
const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom(...Object.keys(MAKINGS)), actor: names, n: fc.nat(60) }) },
  // Whatever comes: much of it is refused.
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constantFrom(...Object.keys(ALL_CHANGES)),
      actor: names,
      n: fc.nat(60),
      target: targets,
    }),
  },
  // What can be done just then, however rarely that is.
  { weight: 6, arbitrary: fc.record({ choice: fc.nat(1_000), actor: names, n: fc.nat(60), target: targets }) },
);

interface Step {
  /** Absent: one of what is possible, by `choice`. */
  readonly act?: string;
  readonly choice?: number;
  readonly actor: Name;
  readonly n: number;
  /** Which image, counted from the last; none: a new one is made. */
  readonly target?: number;
}

it(
  'there is one catalogue, whichever face is asked',
  async () => {
    const done = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(MAKINGS)),
        fc.array<Step>(step, { minLength: 6, maxLength: 18 }),
        async (first, steps) => {
          const catalogue = new Catalogue();
          try {
            for (const one of [{ act: first, actor: 'alice', n: 1 } satisfies Step, ...steps]) {
              const act = await take(catalogue, one);
              if (act !== null) done.add(act);
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
    if (RUNS >= 500) expect(POSSIBLE.filter((act) => !done.has(act))).toEqual([]);
  },
  120_000 + RUNS * 20_000,
);

/** Takes a step, and looks at what it was about through every face. Returns what was done; null: it was to be refused. */
async function take(catalogue: Catalogue, { choice, actor: name, n, target, ...step }: Step): Promise<string | null> {
  const turn = { catalogue, actor: actors[name], n };
  const { images } = catalogue;
  const image = target === undefined ? undefined : images[images.length - 1 - (target % images.length)];
  const act = step.act ?? (image && possible(turn, image, choice!));
  if (act === undefined) return null;
  const making = MAKINGS[act];
  const change = ALL_CHANGES[act];
  if (!making && !image) return null;
  const allowed = making ? making.allowed(turn) : change!.allowed(turn, image!);
  const reply = await (making ? making.call(turn) : change!.call(turn, image!));
  const taken = reply.status < 300;
  expect({ name, act, n, image, taken, status: reply.status, body: reply.body }).toMatchObject({
    name,
    act,
    taken: allowed,
  });
  if (taken && making) making.effect(turn, reply);
  if (taken && !making) change!.effect(image!, turn, reply);
  const touched = making ? catalogue.images.at(-1) : image;
  if (touched) {
    const after = `${name} ${act} ${n}`;
    await Promise.all(Object.entries(actors).map((reader) => compare(reader, catalogue, touched, after)));
  }
  return taken ? act : null;
}

/** What others must come before, or nobody but an administrator may. */
const RARE = /^un(tag|share)|^tag$|[sS]hare|[fF]lag|Remove|undelete|cluster|foreman/;
const RARE_WEIGHT = 8;

/** One of what somebody may do to an image just now; undefined: nothing. */
function possible(turn: Turn, image: Image, choice: number): string | undefined {
  const acts = Object.keys(ALL_CHANGES)
    .filter((act) => ALL_CHANGES[act]!.allowed(turn, image))
    .flatMap((act) => Array<string>(RARE.test(act) ? RARE_WEIGHT : 1).fill(act));
  return acts[choice % acts.length];
}

async function compare(
  [who, reader]: [string, Actor],
  catalogue: Catalogue,
  image: Image,
  after: string,
): Promise<void> {
  expect({ who, after, ...(await seen(reader, catalogue, image)) }).toEqual({
    who,
    after,
    ...expected(reader, catalogue, image),
  });
}

/** The next sequence finds room. */
async function clear({ images, bindings }: Catalogue): Promise<void> {
  for (const { id, project } of bindings) {
    const { foreman, rows } = project === actors.bob.project ? actors.bob : actors.alice;
    await foreman.delete(`/api/compute_resources/${rows.kiln}/images/${id}`);
  }
  const { glance, ims, token } = actors.root;
  for (const { id } of images) {
    await glance.patch(id, [{ op: 'replace', path: '/protected', value: false }]);
    await ims.delete(`/v2/images/${id}`, token);
    await ims.delete(`/v3/deleted/images/${id}`, token);
  }
}
