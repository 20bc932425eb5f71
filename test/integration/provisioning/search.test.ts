// Searches of generated rows, in SQL and in memory.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import type { Condition, RowQuery } from '../../../src/modules/provisioning/index.js';
import { ComputeResourcesRepository } from '../../../src/modules/provisioning/compute-resources/compute-resources.repository.js';
import { RowLister } from '../../../src/modules/provisioning/listing/row-lister.js';
import { OrganizationsRepository } from '../../../src/modules/provisioning/organizations/organizations.repository.js';
import { Database } from '../../../src/platform/database/database.js';
import { dataSourceOptions } from '../../../src/platform/database/data-source.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { SEED } from '../../support/seed.js';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly family: string | null;
  readonly flag: boolean;
  readonly tags: readonly string[];
}
type Field = 'id' | 'name' | 'family' | 'flag' | 'tag';

let address: TestDatabase;
let source: DataSource;
let rows: Row[] = [];
let lister: RowLister<Row, Field>;

const WORDS = ['', 'a', 'A', 'ab', 'b%', 'b_', 'a\\', 'Ärger', 'ärger', '😀', 'a b', "'", '10', '9'];
const word = fc.constantFrom(...WORDS);

beforeAll(async () => {
  address = await testDatabase();
  source = await new DataSource(dataSourceOptions(address.url, 4)).initialize();
  const database = new Database(source);
  await database.run(`CREATE TABLE things (id integer PRIMARY KEY, name text COLLATE "C" NOT NULL,
    family text COLLATE "C", flag boolean NOT NULL)`);
  await database.run('CREATE TABLE tags (thing_id integer, name text COLLATE "C")');
  const row = fc.record({
    name: word,
    family: fc.option(word),
    flag: fc.boolean(),
    tags: fc.uniqueArray(word, { maxLength: 3 }),
  });
  rows = fc.sample(row, { numRuns: 120, seed: SEED }).map((each, index) => ({ id: index + 1, ...each }));
  for (const { id, name, family, flag, tags } of rows) {
    await database.run('INSERT INTO things VALUES ($1, $2, $3, $4)', [id, name, family, flag]);
    for (const tag of tags) await database.run('INSERT INTO tags VALUES ($1, $2)', [id, tag]);
  }
  lister = new RowLister<Row, Field>(database, {
    from: 'things t',
    columns: 't.id',
    id: 't.id',
    fields: {
      id: { sql: 't.id', type: 'integer' },
      name: { sql: 't.name', type: 'text' },
      family: { sql: 't.family', type: 'text', nullable: true },
      flag: { sql: 't.flag', type: 'boolean' },
      tag: {
        sql: 'g.name',
        type: 'text',
        through: (condition) => `EXISTS (SELECT 1 FROM tags g WHERE g.thing_id = t.id AND ${condition})`,
      },
    },
    usualOrder: 'id',
  });
});
it('sorts and compares organizations by code points, whatever the language of the database', async () => {
  const database = new Database(source);
  await database.run('ALTER TABLE projects ALTER COLUMN name TYPE text COLLATE "und-x-icu"');
  await database.run(
    `INSERT INTO projects (id, name, domain_id) VALUES ('1', 'alpha', 'default'), ('2', 'Beta', 'default')`,
  );
  await database.run(`INSERT INTO compute_resources (project_id, name, provider) VALUES ('1', 'x', 'y')`);
  const query = { search: null, order: null, limit: 9, offset: 0 };

  const { rows } = await new OrganizationsRepository(database).page(null, query);
  const { subtotal } = await new ComputeResourcesRepository(database).page(
    '1',
    { locationId: null },
    {
      ...query,
      search: { kind: 'compare', field: 'organization', operator: '>', value: 'Beta' },
    },
  );

  expect(rows.map(({ name }) => name)).toEqual(['Beta', 'alpha']);
  expect(subtotal).toBe(1);
});

afterAll(async () => {
  await source?.destroy();
  await address?.drop();
});

/** Null: not known, as in SQL. */
type Truth = boolean | null;

function and(parts: Truth[]): Truth {
  return parts.includes(false) ? false : parts.includes(null) ? null : true;
}
const negate = (truth: Truth): Truth => (truth === null ? null : !truth);

function holds(condition: Condition<Field>, row: Row): Truth {
  switch (condition.kind) {
    case 'all':
      return and(condition.of.map((part) => holds(part, row)));
    case 'any':
      return negate(and(condition.of.map((part) => negate(holds(part, row)))));
    case 'not':
      return holds(condition.of, row) !== true;
    default: {
      if (condition.field !== 'tag') return holdsOf(condition, row[condition.field]);
      if (condition.kind === 'known') return row.tags.length > 0 !== condition.negated;
      return row.tags.some((tag) => holdsOf(condition, tag) === true);
    }
  }
}

type Leaf = Exclude<Condition<Field>, { kind: 'all' | 'any' | 'not' }>;

function holdsOf(condition: Leaf, value: string | number | boolean | null): Truth {
  if (condition.kind === 'known') return (value !== null) !== condition.negated;
  if (value === null)
    return condition.kind === 'in' && condition.values.length === 0 && !condition.negated ? false : null;
  switch (condition.kind) {
    case 'compare': {
      const order = compare(value, condition.value);
      const { operator } = condition;
      if (operator === '=') return order === 0;
      if (operator === '<>') return order !== 0;
      return operator.startsWith('<')
        ? order < 0 || (operator === '<=' && order === 0)
        : order > 0 || (operator === '>=' && order === 0);
    }
    case 'like':
      return matches(String(value), condition.pieces) !== condition.negated;
    case 'in':
      return condition.values.some((each) => compare(value, each) === 0) !== condition.negated;
  }
}

function compare(left: string | number | boolean, right: string | bigint | boolean): number {
  if (typeof left === 'string') return Buffer.compare(Buffer.from(left), Buffer.from(String(right)));
  const [a, b] = [BigInt(Number(left)), BigInt(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function matches(value: string, pieces: readonly string[]): boolean {
  const escaped = pieces.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 'isu').test(value);
}

const operator = fc.constantFrom('=' as const, '<>' as const, '<' as const, '<=' as const, '>' as const, '>=' as const);
const textField = fc.constantFrom('name' as const, 'family' as const, 'tag' as const);
const number = fc.oneof(
  fc.integer({ min: -2, max: 130 }).map(BigInt),
  fc.constantFrom(2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n) - 1n, 10n ** 40n),
);
const leaf: fc.Arbitrary<Condition<Field>> = fc.oneof(
  fc.record({ kind: fc.constant('compare' as const), field: textField, operator, value: word }),
  fc.record({ kind: fc.constant('compare' as const), field: fc.constant('id' as const), operator, value: number }),
  fc.record({
    kind: fc.constant('compare' as const),
    field: fc.constant('flag' as const),
    operator: fc.constantFrom('=' as const, '<>' as const),
    value: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('like' as const),
    field: textField,
    pieces: fc.array(word, { minLength: 1, maxLength: 4 }),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('in' as const),
    field: textField,
    values: fc.array(word, { maxLength: 4 }),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('known' as const),
    field: fc.constantFrom('name' as const, 'family' as const, 'tag' as const),
    negated: fc.boolean(),
  }),
);
const condition = fc.letrec<{ tree: Condition<Field> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({ kind: fc.constantFrom('all' as const, 'any' as const), of: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not' as const), of: tie('tree') }),
  ),
})).tree;

const order = fc.option(
  fc.record({
    field: fc.constantFrom('id' as const, 'name' as const, 'family' as const, 'flag' as const),
    direction: fc.constantFrom('asc' as const, 'desc' as const),
  }),
);

function inOrder(wanted: RowQuery<Field>['order'], found: readonly Row[]): Row[] {
  const { field, direction } = wanted ?? { field: 'id' as const, direction: 'asc' as const };
  const sign = direction === 'asc' ? 1 : -1;
  const key = field as Exclude<Field, 'tag'>;
  return [...found].sort((a, b) => {
    const [left, right] = [a[key], b[key]];
    const known = left === null || right === null ? Number(left !== null) - Number(right !== null) : rank(left, right);
    return known * sign || a.id - b.id;
  });
}

function rank(left: string | number | boolean, right: string | number | boolean): number {
  if (typeof left === 'string') return Buffer.compare(Buffer.from(left), Buffer.from(String(right)));
  return Number(left) - Number(right);
}

it('finds in SQL what holds in memory, in its order, page by page', async () => {
  await fc.assert(
    fc.asyncProperty(
      condition,
      order,
      fc.nat({ max: 12 }),
      fc.nat({ max: 40 }),
      async (search, wanted, limit, offset) => {
        const expected = inOrder(
          wanted,
          rows.filter((row) => holds(search, row) === true),
        );

        const page = await lister.page(() => ['true'], { search, order: wanted, limit, offset });

        expect(page.total).toBe(rows.length);
        expect(page.subtotal).toBe(expected.length);
        expect(page.rows.map(({ id }) => id)).toEqual(expected.slice(offset, offset + limit).map(({ id }) => id));
      },
    ),
    { numRuns: 600, seed: SEED },
  );
});
