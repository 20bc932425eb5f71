import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import type { Image, ImageFilter, ImageQuery, ImageScope, ImageSortKey } from '../../../src/modules/images/index.js';
import { DeletedImagesRepository } from '../../../src/modules/images/deleted/deleted-images.repository.js';
import { ImageListRepository } from '../../../src/modules/images/image-list.repository.js';
import { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { take } from '../../support/take.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

const VISIBLE: ImageScope = { kind: 'visible', memberStatus: 'accepted' };
const QUERY: ImageQuery = { scope: VISIBLE, filter: {}, sort: [], limit: 25 };
const actorOf = (projectId: string, role: 'member' | 'admin' = 'member') =>
  Actor.user({ id: 'u', name: 'u', projectId, projectName: projectId, roles: [role] });

async function walk(actor: Actor, query: ImageQuery): Promise<string[]> {
  const ids: string[] = [];
  for (let marker: string | undefined; ;) {
    const { images: page } = await kiln.images.list(actor, { ...query, marker });
    ids.push(...page.map(({ id }) => id));
    if (page.length < query.limit) return ids;
    marker = page.at(-1)!.id;
  }
}

describe('any list', () => {
  interface Row {
    id: string;
    projectId: string | null;
    name: string | null;
    status: string;
    visibility: 'public' | 'community' | 'shared' | 'private';
    hidden: boolean;
    tags: string[];
    properties: Record<string, string>;
    diskFormat: string | null;
    sizeBytes: number | null;
    createdAt: Date;
    updatedAt: Date;
    members: Record<string, 'pending' | 'accepted' | 'rejected'>;
  }

  const few = <const T>(...values: T[]) => fc.constantFrom(...values);
  const rowArbitrary: fc.Arbitrary<Row> = fc.record({
    id: fc.uuid({ version: 4 }),
    projectId: few('p1', 'p2', 'p3', null),
    name: few(null, '', 'a', 'b', 'c'),
    status: few('queued', 'active'),
    visibility: few('public', 'community', 'shared', 'private'),
    hidden: few(false, false, true),
    tags: fc.uniqueArray(few('x', 'y', 'z')),
    properties: fc.dictionary(few('k', 'l'), few('1', '2')),
    diskFormat: few(null, 'raw', 'qcow2'),
    sizeBytes: few(null, 0, 1, 5_000_000_000),
    // Few instants, so that ties are common; milliseconds, as they are kept.
    createdAt: few(1, 2, 3, 1000).map((ms) => new Date(Date.UTC(2026, 0, 1) + ms)),
    updatedAt: few(1, 2, 1000).map((ms) => new Date(Date.UTC(2026, 0, 2) + ms)),
    members: fc.dictionary(few('p1', 'p2'), few('pending', 'accepted', 'rejected')),
  });
  const sortKeys: ImageSortKey[] = [
    'name',
    'status',
    'diskFormat',
    'containerFormat',
    'sizeBytes',
    'id',
    'createdAt',
    'updatedAt',
  ];
  const queryArbitrary = fc.record({
    viewer: few('p1', 'p2', 'p4'),
    admin: fc.boolean(),
    scope: fc.record({
      kind: fc.constant('visible' as const),
      visibility: few(undefined, 'public', 'community', 'shared', 'private', 'all'),
      memberStatus: few('accepted', 'pending', 'rejected', 'all'),
    }),
    filter: fc.record(
      {
        owner: few('p1', 'p2', 'nobody'),
        names: few(['a'], [''], ['a', 'b']),
        statuses: few(['active'], ['queued', 'active'], ['nonsense']),
        diskFormats: few(['raw'], ['raw', 'vdi']),
        hidden: fc.boolean(),
        tags: fc.uniqueArray(few('x', 'y')),
        properties: fc.dictionary(few('k', 'l'), few('1', '2')),
        sizeBytes: few({ minimum: 1 }, { maximum: 0 }, { minimum: 0, maximum: 1 }),
        createdAt: few(
          [{ from: new Date(Date.UTC(2026, 0, 1) + 2) }],
          [{ from: new Date(Date.UTC(2026, 0, 1) + 2), before: new Date(Date.UTC(2026, 0, 1) + 4), outside: true }],
        ),
      },
      { requiredKeys: [] },
    ),
    sort: fc.uniqueArray(fc.record({ key: few(...sortKeys), direction: few('asc' as const, 'desc' as const) }), {
      selector: ({ key }) => key,
      maxLength: 3,
    }),
    limit: few(1, 2, 3, 7),
  });

  function isVisible(
    row: Row,
    viewer: string,
    admin: boolean,
    scope: Extract<ImageScope, { kind: 'visible' }>,
    filter: ImageFilter,
  ) {
    const own = row.projectId === viewer;
    const { visibility } = scope;
    if (visibility !== undefined && visibility !== 'all' && row.visibility !== visibility) return false;
    if (row.visibility === 'community' && visibility === undefined && !own) return false;
    if (admin || own || row.visibility === 'public' || row.visibility === 'community') return true;
    if (row.projectId === null) return filter.owner === undefined;
    const status = row.visibility === 'shared' && Object.hasOwn(row.members, viewer) ? row.members[viewer] : undefined;
    return status !== undefined && (scope.memberStatus === 'all' || scope.memberStatus === status);
  }

  function matches(row: Row, filter: ImageFilter): boolean {
    const within = (value: number | null, range?: { minimum?: number; maximum?: number }) =>
      !range || (value !== null && value >= (range.minimum ?? -Infinity) && value <= (range.maximum ?? Infinity));
    return (
      (filter.owner === undefined || row.projectId === filter.owner) &&
      (!filter.names || (row.name !== null && filter.names.includes(row.name))) &&
      (!filter.statuses || filter.statuses.includes(row.status)) &&
      (!filter.diskFormats || (row.diskFormat !== null && filter.diskFormats.includes(row.diskFormat))) &&
      (filter.hidden === undefined || row.hidden === filter.hidden) &&
      (filter.tags ?? []).every((tag) => row.tags.includes(tag)) &&
      Object.entries(filter.properties ?? {}).every(([key, value]) => row.properties[key] === value) &&
      within(row.sizeBytes, filter.sizeBytes) &&
      (filter.createdAt ?? []).every(({ from, before, outside }) => {
        const inside = row.createdAt >= (from ?? new Date(0)) && (!before || row.createdAt < before);
        return inside !== (outside ?? false);
      })
    );
  }

  const valueOf = (row: Row, key: ImageSortKey): number | string => {
    if (key === 'sizeBytes') return row.sizeBytes ?? 0;
    if (key === 'createdAt' || key === 'updatedAt') return row[key].getTime();
    return (row as unknown as Record<string, string | null>)[key] ?? '';
  };

  async function store(rows: readonly Row[]): Promise<void> {
    await kiln.database.run('DELETE FROM images');
    for (const row of rows) {
      await kiln.database.run(
        `INSERT INTO images (id, project_id, name, status, visibility, hidden, tags, properties, disk_format, size_bytes,
           origin, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'upload', $11, $12)`,
        [
          row.id,
          row.projectId,
          row.name,
          row.status,
          row.visibility,
          row.hidden,
          row.tags,
          JSON.stringify(row.properties),
          row.diskFormat,
          row.sizeBytes,
          row.createdAt,
          row.updatedAt,
        ],
      );
      for (const [member, status] of Object.entries(row.members)) {
        await kiln.database.run(
          'INSERT INTO image_members (image_id, member, status, image_created_at) VALUES ($1, $2, $3, $4)',
          [row.id, member, status, row.createdAt],
        );
      }
    }
  }

  it('walked page by page is what the rules say of the rows, in the order asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(rowArbitrary, { selector: ({ id }) => id, maxLength: 14 }),
        fc.array(queryArbitrary, { minLength: 6, maxLength: 6 }),
        async (rows, queries) => {
          await store(rows);
          for (const { viewer, admin, scope, filter, sort, limit } of queries) {
            const direction = sort.at(-1)?.direction ?? 'desc';
            const order = [
              ...sort,
              ...(['createdAt', 'id'] as const)
                .filter((key) => !sort.some((term) => term.key === key))
                .map((key) => ({ key, direction })),
            ];
            const expected = rows
              .filter((row) => isVisible(row, viewer, admin, scope, filter) && matches(row, filter))
              .sort((one, other) => {
                for (const { key, direction: way } of order) {
                  const [left, right] = [valueOf(one, key), valueOf(other, key)];
                  if (left !== right) return left < right === (way === 'asc') ? -1 : 1;
                }
                return 0;
              })
              .map(({ id }) => id);

            const found = await walk(actorOf(viewer, admin ? 'admin' : 'member'), { scope, filter, sort, limit });

            expect(found).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 300_000);
});

describe('a list while images come and go', () => {
  it('shows what stays exactly once', async () => {
    const actor = await kiln.actor();
    const stay = new Set<string>();
    const go: string[] = [];
    for (let index = 0; index < 120; index += 1) {
      const { id } = await kiln.images.create(actor, { name: `n${index % 7}` });
      if (index % 3 === 0) go.push(id);
      else stay.add(id);
    }
    for (const sort of [[], [{ key: 'name', direction: 'asc' }], [{ key: 'sizeBytes', direction: 'desc' }]] as const) {
      const query: ImageQuery = {
        ...QUERY,
        scope: { kind: 'owned', projectId: actor.projectId },
        sort,
        limit: 10,
        markerMayBeDeleted: true,
      };
      const seen: string[] = [];
      for (let marker: string | undefined, page: readonly Image[]; ; marker = page.at(-1)!.id) {
        page = (await kiln.images.list(actor, { ...query, marker })).images;
        seen.push(...page.map(({ id }) => id));
        if (page.length < query.limit) break;
        // The very image that the next page begins behind may be among those that go.
        await kiln.images.create(actor, { name: 'n3' });
        const leaving = go.shift();
        if (leaving) await kiln.images.delete(actor, leaving);
      }

      const found = seen.filter((id) => stay.has(id));
      expect(found.length).toBe(stay.size);
      expect(new Set(seen).size).toBe(seen.length);
    }
  });

  it('does not go on behind a deleted image where that is not wanted', async () => {
    const actor = await kiln.actor();
    const [first, second] = [await kiln.images.create(actor, {}), await kiln.images.create(actor, {})];
    await kiln.images.delete(actor, second.id);
    const query: ImageQuery = { ...QUERY, scope: { kind: 'owned', projectId: actor.projectId }, marker: second.id };

    await expect(kiln.images.list(actor, query)).rejects.toMatchObject({ kind: 'invalid' });
    const { images: page } = await kiln.images.list(actor, { ...query, markerMayBeDeleted: true });
    expect(page.map(({ id }) => id)).toEqual([first.id]);
  });

  it('streams more than one chunk, in order', async () => {
    const actor = await kiln.actor();
    await kiln.database.run(
      `INSERT INTO images (id, project_id, name, status, visibility, origin, created_at)
       SELECT gen_random_uuid(), $1, 'n' || n, 'queued', 'private', 'upload', now() + n / 3 * interval '1 ms'
       FROM generate_series(1, 1201) n`,
      [actor.projectId],
    );
    const found: Image[] = [];
    for await (const image of kiln.images.stream(actor, {
      scope: { kind: 'owned', projectId: actor.projectId },
      filter: {},
      sort: [{ key: 'createdAt', direction: 'asc' }],
    })) {
      found.push(image);
    }

    expect(new Set(found.map(({ id }) => id)).size).toBe(1201);
    const times = found.map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual([...times].sort((one, other) => one - other));
  });

  it('is refused to who asks for another project', async () => {
    const [actor, other] = [await kiln.actor(), await kiln.actor()];

    await expect(
      kiln.images.list(actor, { ...QUERY, scope: { kind: 'owned', projectId: other.projectId } }),
    ).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(
      kiln.images.list(actor, { ...QUERY, scope: { kind: 'deleted', projectId: null } }),
    ).rejects.toMatchObject({ kind: 'forbidden' });
  });
});

describe('a page among many images', () => {
  interface PlanNode {
    'Node Type': string;
    'Actual Rows': number;
    'Actual Loops': number;
    'Rows Removed by Filter'?: number;
    'Relation Name'?: string;
    Plans?: PlanNode[];
  }

  const IMAGES = 60_000;
  let plan: PlanNode[] = [];
  let explained: ImageListRepository;
  let deleted: DeletedImagesRepository;

  beforeAll(async () => {
    await kiln.database.run('DELETE FROM images');
    await kiln.database.run(`INSERT INTO projects (id, name) VALUES ('p7', 'seven')`);
    await kiln.database.run(
      `INSERT INTO images (id, project_id, name, status, visibility, tags, properties, disk_format, container_format,
         size_bytes, origin, created_at, updated_at, deleted_at)
       SELECT gen_random_uuid(), 'p' || n % 10, 'image-' || n % 5000, 'active',
         CASE WHEN n % 100 = 0 THEN 'public' WHEN n % 17 = 0 THEN 'shared' ELSE 'private' END,
         CASE WHEN n % 997 = 0 THEN ARRAY['rare'] ELSE '{}' END,
         jsonb_strip_nulls(jsonb_build_object('os_distro', 'debian', 'serial', (n % 4000)::text,
           'architecture', CASE n % 3 WHEN 0 THEN 'amd64' WHEN 1 THEN 'aarch64' END)), 'raw', 'bare', n, 'upload',
         timestamptz '2025-01-01' + n * interval '1 second', timestamptz '2026-01-01' - n * interval '1 second',
         CASE WHEN n % 50 = 7 THEN timestamptz '2026-02-01' + n % 7 * interval '1 day' END
       FROM generate_series(1, ${IMAGES}) n`,
    );
    await kiln.database.run(
      `INSERT INTO image_members (image_id, member, status, image_created_at)
       SELECT id, 'p7', 'accepted', created_at FROM images WHERE visibility = 'shared' AND project_id <> 'p7' LIMIT 300`,
    );
    await kiln.database.run('ANALYZE images');
    await kiln.database.run('ANALYZE image_members');
    const explaining = {
      query: async (text: string, values: unknown[]) => {
        const [row] = await kiln.database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
          values,
        );
        plan = flatten(row!['QUERY PLAN'][0].Plan);
        return kiln.database.query(text, values);
      },
    };
    explained = new ImageListRepository(explaining as never);
    deleted = new DeletedImagesRepository(explaining as never);
  }, 300_000);

  const flatten = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)];
  const scanned = () => plan.filter((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'images');
  /** Rows of images that were touched, shown or not. */
  const touched = () =>
    plan
      .filter((node) => node['Relation Name'] === 'images')
      .reduce(
        (sum, node) => sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
        0,
      );

  const sortKeys: ImageSortKey[] = [
    'createdAt',
    'updatedAt',
    'name',
    'sizeBytes',
    'status',
    'diskFormat',
    'containerFormat',
    'id',
  ];
  const orders = sortKeys.flatMap((key) => (['asc', 'desc'] as const).map((direction) => [key, direction] as const));

  it.each(orders)('by %s %s walks indexes, at the beginning and deep inside', async (key, direction) => {
    const request = { viewer: actorOf('p7'), scope: VISIBLE, filter: { hidden: false }, sort: [{ key, direction }] };
    const [deep] = (await explained.list({ ...request, limit: 1000 })).slice(-1);
    for (const after of [undefined, deep]) {
      const page = await explained.list({ ...request, limit: 25, after });

      expect(page).toHaveLength(25);
      expect(scanned()).toEqual([]);
      // A page of each branch, and each membership once.
      expect(touched()).toBeLessThan(1000);
    }
  });

  it.each(['createdAt', 'name', 'id'] as const)('of one project by %s walks an index', async (key) => {
    for (const direction of ['asc', 'desc'] as const) {
      const scope = { kind: 'owned', projectId: 'p7' } as const;
      const request = { viewer: actorOf('p7'), scope, filter: {}, sort: [{ key, direction }] };
      const [deep] = (await explained.list({ ...request, limit: 500 })).slice(-1);

      expect(await explained.list({ ...request, limit: 25, after: deep })).toHaveLength(25);

      expect(scanned()).toEqual([]);
      expect(touched()).toBeLessThan(100);
    }
  });

  it.each(['created', 'deleted', 'id'] as const)("of a project's deleted images by %s walks an index", async (key) => {
    for (const direction of ['asc', 'desc'] as const) {
      const query = { projectId: 'p7', filter: {}, sort: [{ key, direction }] };
      const [deep] = (await take(deleted.stream(query, null, 100), 100)).slice(-1);

      expect(await take(deleted.stream(query, deep!, 25), 25)).toHaveLength(25);

      expect(scanned()).toEqual([]);
      expect(touched()).toBeLessThan(100);
    }
  });

  it.each([
    ['a name', { names: ['image-77'] }],
    ['a rare tag', { tags: ['rare'] }],
    ['a rare property', { properties: { serial: '77' } }],
    ['a common property', { properties: { os_distro: 'debian' } }],
    ['a tag that nobody has', { tags: ['none'] }],
    ['a property that nobody has', { properties: { none: 'x' } }],
    ['a format', { diskFormats: ['raw'] }],
    ['a format that nobody has', { diskFormats: ['iso'] }],
    ['a status that nobody has', { statuses: ['queued'] }],
    ['a rare size', { sizeBytes: { minimum: IMAGES - 20 } }],
    ['a digest', { md5: 'd41d8cd98f00b204e9800998ecf8427e' }],
    ['hidden images', { hidden: true }],
    ['protected images', { protected: true }],
  ] as [string, ImageFilter][])('with a filter on %s reads few images', async (_name, filter) => {
    await explained.list({
      viewer: actorOf('p7'),
      scope: VISIBLE,
      filter: { hidden: false, ...filter },
      sort: [],
      limit: 25,
    });

    expect(scanned()).toEqual([]);
    expect(touched()).toBeLessThan(2000);
  });

  it('of an administrator walks indexes too', async () => {
    for (const [key, direction] of orders) {
      await explained.list({
        viewer: actorOf('p7', 'admin'),
        scope: VISIBLE,
        filter: { hidden: false },
        sort: [{ key, direction }],
        limit: 25,
      });

      expect(scanned()).toEqual([]);
      expect(touched()).toBeLessThan(2000);
    }
  });

  it('is not found by an id that is none', async () => {
    const ids = ['x', randomUUID(), "'; DROP TABLE images; --"];

    expect(await kiln.images.list(actorOf('p7'), { ...QUERY, filter: { ids } })).toEqual({ images: [], isCut: false });
  });
});
