// Whatever a client patches, in whatever order: the image is what a plain model says, or it is what it was.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { SEED } from '../../support/seed.js';
import { type Client, clients } from './wire.js';

let kiln: RunningKiln;
let alice: Client;
let root: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, root } = await clients(kiln));
});
afterAll(() => kiln?.stop());

type Operation = 'add' | 'replace' | 'remove';
interface Change {
  readonly operation: Operation;
  readonly name: string;
  readonly value?: unknown;
}
type Body = Record<string, unknown>;

const BASE = ['name', 'visibility', 'protected', 'os_hidden', 'disk_format', 'container_format', 'min_disk', 'min_ram'];
const SHOWN_ALWAYS = [...BASE, 'tags', 'owner'];
const READ_ONLY = ['id', 'status', 'size', 'checksum', 'created_at', 'self', 'file', 'schema', 'stores', 'locations'];
const RESERVED = ['location', 'deleted', 'os_glance_import_task'];
const MOST_PROPERTIES = 128;
const MOST_TAGS = 128;

/** What the contract says a value of an attribute may be; independent of how the face checks it. */
const VALID = new Map<string, (value: unknown) => boolean>(
  Object.entries({
    name: (value) => value === null || (typeof value === 'string' && value.length <= 255),
    visibility: (value) => ['public', 'community', 'shared', 'private'].includes(value as string),
    protected: (value) => typeof value === 'boolean',
    os_hidden: (value) => typeof value === 'boolean',
    disk_format: (value) => value === null || ['raw', 'qcow2', 'iso'].includes(value as string),
    container_format: (value) => value === null || ['bare', 'ova'].includes(value as string),
    min_disk: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
    min_ram: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
    tags: (value) => Array.isArray(value) && value.every((tag) => typeof tag === 'string' && tag.length <= 255),
    owner: (value) => value === null || (typeof value === 'string' && value.length <= 255),
  } as Record<string, (value: unknown) => boolean>),
);

/** The first rule that a change breaks when it is looked at by itself. */
function statusOf({ operation, name, value }: Change): number {
  if (READ_ONLY.includes(name) || RESERVED.includes(name)) return 403;
  if (operation === 'remove') return 200;
  if (value === undefined) return 400;
  return (VALID.get(name) ?? ((custom) => typeof custom === 'string'))(value) ? 200 : 400;
}

/** What a PATCH answers and leaves of an image, said as plainly as the contract says it. */
function patched(
  image: Body,
  changes: readonly Change[],
  minor: 0 | 1,
  admin: boolean,
): { status: number; image: Body } {
  const refused = (status: number) => ({ status, image });
  const faulty = changes.map(statusOf).find((status) => status !== 200);
  if (faulty) return refused(faulty);
  // A map, since a property may be called __proto__.
  const result = new Map(Object.entries(image));
  for (const { operation, name, value } of changes) {
    // Like what is missing, told in the order of the changes.
    if (operation === 'remove' && SHOWN_ALWAYS.includes(name)) return refused(403);
    if (operation === 'add' && minor === 0 && result.has(name)) return refused(409);
    if (operation !== 'add' && !result.has(name)) return refused(409);
    if (operation === 'remove') result.delete(name);
    else result.set(name, name === 'tags' ? [...new Set(value as string[])] : value);
  }
  const touched = (name: string) => changes.some((change) => change.name === name);
  if (touched('visibility') && result.get('visibility') === 'public' && !admin) return refused(403);
  if (touched('owner') && !admin) return refused(403);
  if (image.status !== 'queued' && (touched('disk_format') || touched('container_format'))) return refused(403);
  return { status: 200, image: Object.fromEntries(result) };
}

/** Everything of an answer that a patch could change, and what it must not. */
function compared(image: Body): Body {
  const { updated_at: _updatedAt, tags, ...rest } = image;
  return { ...rest, tags: [...(tags as string[])].sort() };
}

const few = <const T>(...values: T[]) => fc.constantFrom(...values);
const good: Record<string, fc.Arbitrary<unknown>> = {
  name: few(null, '', 'x', 'ä/~', 'n'.repeat(255)),
  visibility: few('private', 'shared', 'community', 'public'),
  protected: fc.boolean(),
  os_hidden: fc.boolean(),
  disk_format: few('raw', 'qcow2', null),
  container_format: few('bare', 'ova', null),
  min_disk: few(0, 1, 2 ** 31 - 1),
  min_ram: few(0, 512),
  tags: fc.array(few('a', 'b', 'ü'), { maxLength: 4 }),
  owner: few(ALPHA),
};
const bad = few<unknown>(5.5, -1, 'true', {}, [1], 'n'.repeat(256), 2 ** 31, undefined, [null]);
const custom = few('os_distro', 'a/b', 'c~d', 'k1', 'k2', 'constructor', '__proto__', 'ключ');
const names = fc.oneof(
  { weight: 6, arbitrary: few(...SHOWN_ALWAYS) },
  { weight: 8, arbitrary: custom },
  { weight: 1, arbitrary: few(...READ_ONLY, ...RESERVED) },
);
const changeArbitrary: fc.Arbitrary<Change> = names.chain((name) => {
  const value = Object.hasOwn(good, name) ? good[name]! : few('1', '2', '', 'v'.repeat(4000));
  const values = fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: bad });
  return fc.tuple(few<Operation>('add', 'replace', 'remove'), values).map(([operation, chosen]) =>
    // What must stay is removed less often than a throw of three dice says, or few sequences would get far.
    operation === 'remove'
      ? SHOWN_ALWAYS.includes(name) && chosen !== null
        ? { operation: 'replace', name, value: chosen }
        : { operation, name }
      : { operation, name, value: chosen },
  );
});

function onTheWire({ operation, name, value }: Change, minor: 0 | 1): Body {
  const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return {
    ...(minor === 1 ? { op: operation, path } : { [operation]: path }),
    ...(value === undefined ? {} : { value }),
  };
}

describe('any sequence of patches', () => {
  it('leaves an image as a plain model says, or as it was', async () => {
    const step = fc.record({
      changes: fc.array(changeArbitrary, { maxLength: 5 }),
      minor: few<0 | 1>(1, 1, 0),
      admin: fc.boolean(),
    });
    const seen = new Map<number, number>();

    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(step, { minLength: 1, maxLength: 8 }), async (active, steps) => {
        let image: Body = active
          ? await alice.createWithData(Buffer.from('bytes'), { os_distro: 'debian' })
          : await alice.create({ os_distro: 'debian', tags: ['a'] });
        for (const { changes, minor, admin } of steps) {
          const expected = patched(image, changes, minor, admin);

          const answer = await (admin ? root : alice).patch(
            image.id as string,
            changes.map((change) => onTheWire(change, minor)),
            minor,
          );

          expect({ status: answer.status, changes, minor, admin }).toEqual({
            status: expected.status,
            changes,
            minor,
            admin,
          });
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
          const shown = (await root.show(image.id as string)).body;
          expect(compared(shown)).toEqual(compared(expected.image));
          if (answer.status === 200) expect(answer.body).toEqual(shown);
          image = shown;
        }
        await root.patch(image.id as string, [{ op: 'replace', path: '/protected', value: false }]);
        expect((await root.ask('DELETE', `/v2/images/${image.id}`)).status).toBe(204);
      }),
      { numRuns: 150, seed: SEED },
    );

    // A generator that never got there would prove nothing.
    expect([200, 400, 403, 409].filter((status) => (seen.get(status) ?? 0) < 20)).toEqual([]);
  }, 240_000);

  it('counts tags and properties after the change, and never refuses a removal', async () => {
    const properties = Object.fromEntries(Array.from({ length: MOST_PROPERTIES }, (_, index) => [`p${index}`, 'v']));
    const { id } = await alice.create(properties);
    const add = (name: string) => ({ op: 'add', path: `/${name}`, value: 'v' });
    const remove = (name: string) => ({ op: 'remove', path: `/${name}` });

    expect((await alice.patch(id, [add('one_more')])).status).toBe(413);
    expect((await alice.patch(id, [add('one_more'), remove('p0')])).status).toBe(200);
    expect((await alice.patch(id, [remove('p1'), add('p1')])).status).toBe(200);
    expect((await alice.patch(id, [remove('p1')])).status).toBe(200);
    const tags = Array.from({ length: MOST_TAGS + 1 }, (_, index) => `t${index}`);
    expect((await alice.patch(id, [{ op: 'replace', path: '/tags', value: tags }])).status).toBe(413);
    expect((await alice.patch(id, [{ op: 'replace', path: '/tags', value: tags.slice(1) }])).status).toBe(200);
  });

  it('loses none of many that are sent at once', async () => {
    const { id } = await alice.create({});
    const sent = Array.from({ length: 40 }, (_, index) => [{ op: 'add', path: `/p${index}`, value: String(index) }]);

    const answers = await Promise.all(sent.map((changes) => alice.patch(id, changes)));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const { body } = await alice.show(id);
    expect(sent.filter((_, index) => body[`p${index}`] !== String(index))).toEqual([]);
  });

  it('by somebody of another project changes nothing', async () => {
    const { bob } = await clients(kiln);
    const { id } = await alice.create({ visibility: 'private' });
    const { id: sharedId } = await alice.create({ visibility: 'shared' });
    await alice.ask('POST', `/v2/images/${sharedId}/members`, { member: BETA });
    const before = [(await root.show(id)).body, (await root.show(sharedId)).body];
    const rename = [{ op: 'replace', path: '/name', value: 'mine' }];

    expect((await bob.patch(id, rename)).status).toBe(404);
    expect((await bob.patch(sharedId, rename)).status).toBe(403);
    expect([(await root.show(id)).body, (await root.show(sharedId)).body]).toEqual(before);
  });
});
