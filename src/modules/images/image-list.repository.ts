import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { isUuid } from '../../common/ids.js';
import type { SortTerm } from '../../common/paging.js';
import { Database } from '../../platform/database/database.js';
import { Bindings, keysetAfter, keysetOrder } from '../../platform/database/keyset.js';
import type { Image } from './image.entity.js';
import { IMAGE_COLUMNS, toImage } from './images.repository.js';
import {
  type ImageFilter,
  type ImageScope,
  type ImageSortKey,
  MEMBER_STATUSES,
  type NumberRange,
  type TimeRange,
  VISIBILITIES,
  type Visibility,
} from './images.types.js';

/** Whose list it is. */
export interface ListViewer {
  readonly projectId: string | null;
  readonly isAdmin: boolean;
}

/** A page whose start is given by the values of the row before it. */
export interface ListRequest {
  readonly viewer: ListViewer;
  readonly scope: ImageScope;
  readonly filter: ImageFilter;
  readonly sort: readonly SortTerm<ImageSortKey>[];
  readonly limit: number;
  readonly after?: Image;
}

interface SortColumn {
  /** Never null, and in this very form in an index. */
  readonly sql: string;
  /** The same over the columns that a branch puts out. */
  readonly outer: string;
  readonly type: 'text' | 'bigint' | 'uuid' | 'timestamptz';
  readonly valueOf: (image: Image) => unknown;
}

/** Other spellings of the architectures that there are names for; images that do not say have the usual one. */
const ARCHITECTURE_ALIASES: Readonly<Record<string, string>> = { '': 'x86_64', amd64: 'x86_64', arm64: 'aarch64' };

/** Sorts as faces show it. */
export function knownArchitecture(column: string): string {
  const cases = Object.entries(ARCHITECTURE_ALIASES).map(([alias, name]) => `WHEN '${alias}' THEN '${name}'`);
  return `CASE coalesce(${column}, '') ${cases.join(' ')} ELSE ${column} END`;
}

/** The value of `knownArchitecture` for an image. */
export function knownArchitectureOf({ architecture }: Image): string {
  return ARCHITECTURE_ALIASES[architecture ?? ''] ?? architecture ?? '';
}

const SORT_COLUMNS: Readonly<Record<ImageSortKey, SortColumn>> = {
  id: { sql: 'i.id', outer: 'id', type: 'uuid', valueOf: (image) => image.id },
  createdAt: { sql: 'i.created_at', outer: '"createdAt"', type: 'timestamptz', valueOf: (image) => image.createdAt },
  updatedAt: { sql: 'i.updated_at', outer: '"updatedAt"', type: 'timestamptz', valueOf: (image) => image.updatedAt },
  status: { sql: 'i.status', outer: 'status', type: 'text', valueOf: (image) => image.status },
  name: orEmpty('i.name', 'name', (image) => image.name),
  diskFormat: orEmpty('i.disk_format', '"diskFormat"', (image) => image.diskFormat),
  containerFormat: orEmpty('i.container_format', '"containerFormat"', (image) => image.containerFormat),
  architecture: {
    sql: knownArchitecture('i.architecture'),
    outer: knownArchitecture('architecture'),
    type: 'text',
    valueOf: knownArchitectureOf,
  },
  sizeBytes: {
    sql: 'coalesce(i.size_bytes, 0)',
    outer: 'coalesce("sizeBytes", 0)',
    type: 'bigint',
    valueOf: (image) => image.sizeBytes ?? 0,
  },
  deletedAt: {
    sql: `coalesce(i.deleted_at, '-infinity')`,
    outer: `coalesce("deletedAt", '-infinity')`,
    type: 'timestamptz',
    valueOf: (image) => image.deletedAt ?? '-infinity',
  },
};

function orEmpty(sql: string, outer: string, value: (image: Image) => string | null): SortColumn {
  return { sql: `coalesce(${sql}, '')`, outer: `coalesce(${outer}, '')`, type: 'text', valueOf: (i) => value(i) ?? '' };
}

/** A part of a list that one index can walk in the order of the list; the parts of a list do not overlap. */
interface Branch {
  readonly conditions: readonly string[];
  /** Conditions on memberships: walks what is shared with the viewer's project from their side. */
  readonly throughMembers?: readonly string[];
}

const NAMED_STATEMENTS_MAX = 64;

/**
 * Lists of images. A page is the merge of the first rows of a few branches, each of which an index walks in order: one
 * condition over all visibilities (`public OR own OR shared with me`) would read and sort whatever anybody has.
 */
@Injectable()
export class ImageListRepository {
  private readonly statementNames = new Map<string, string>();

  constructor(private readonly database: Database) {}

  /** The images of one page, in order. */
  async list(request: ListRequest): Promise<Image[]> {
    if (request.limit === 0) return [];
    const bindings = new Bindings();
    const branches = branchesOf(request, bindings);
    if (branches.length === 0) return [];
    const text = statement(request, branches, bindings);
    const rows = await this.database.query<Image>(text, bindings.values, this.nameOf(request, text));
    return rows.map(toImage);
  }

  /**
   * Planning a list costs more than walking it, so the common shapes are prepared. Filters are not: their best plan
   * depends on how rare their values are.
   */
  private nameOf({ filter }: ListRequest, text: string): string | undefined {
    if (Object.keys(filter).some((key) => key !== 'hidden')) return undefined;
    const known = this.statementNames.get(text);
    if (known || this.statementNames.size >= NAMED_STATEMENTS_MAX) return known;
    const name = `images-list-${createHash('sha1').update(text).digest('hex')}`;
    this.statementNames.set(text, name);
    return name;
  }
}

/** Makes an order total: by creation and id behind what was asked for, in the direction of the last term. */
export function totalOrder(sort: readonly SortTerm<ImageSortKey>[]): SortTerm<ImageSortKey>[] {
  const direction = sort.at(-1)?.direction ?? 'desc';
  const order = [...sort];
  for (const key of ['createdAt', 'id'] as const) {
    if (!order.some((term) => term.key === key)) order.push({ key, direction });
  }
  // What follows a unique column changes nothing.
  return order.slice(0, order.findIndex(({ key }) => key === 'id') + 1);
}

function statement(request: ListRequest, branches: readonly Branch[], bindings: Bindings): string {
  const order = totalOrder(request.sort);
  const { after } = request;
  const marker =
    after &&
    order.map(({ key }) => SORT_COLUMNS[key]).map(({ type, valueOf }) => `${bindings.add(valueOf(after))}::${type}`);
  const filters = filterConditions(request.filter, bindings);
  const parts = branches.map((branch) => {
    const columns = order.map(({ key, direction }) => ({ sql: columnOf(key, branch), direction }));
    const after = marker ? [keysetAfter(columns, marker)] : [];
    const conditions = [...branch.conditions, ...filters];
    // Fenced, so that the viewer's memberships are looked up, and never every shared image of everybody joined. A name
    // or an id finds few images at once, so these are looked up among the memberships.
    const fence = request.filter.ids || request.filter.names ? '' : 'OFFSET 0';
    const from = branch.throughMembers
      ? `image_members m CROSS JOIN LATERAL (
          SELECT * FROM images i WHERE i.id = m.image_id AND ${conditions.join(' AND ')} ${fence}) i
         WHERE ${[...branch.throughMembers, ...after].join(' AND ')}`
      : `images i WHERE ${[...conditions, ...after].join(' AND ')}`;
    return `SELECT ${IMAGE_COLUMNS} FROM ${from}
      ORDER BY ${keysetOrder(columns)} LIMIT ${request.limit}`;
  });
  if (parts.length === 1) return parts[0]!;
  const outer = keysetOrder(order.map(({ key, direction }) => ({ sql: SORT_COLUMNS[key].outer, direction })));
  return `SELECT * FROM (${parts.map((part) => `(${part})`).join(' UNION ALL ')}) AS branches
    ORDER BY ${outer} LIMIT ${request.limit}`;
}

function columnOf(key: ImageSortKey, branch: Branch): string {
  if (branch.throughMembers && key === 'createdAt') return 'm.image_created_at';
  if (branch.throughMembers && key === 'id') return 'm.image_id';
  return SORT_COLUMNS[key].sql;
}

function branchesOf({ viewer, scope, filter }: ListRequest, bindings: Bindings): Branch[] {
  switch (scope.kind) {
    case 'visible':
      return visibleBranches(viewer, scope, filter.owner, bindings);
    case 'owned':
      return ownedBranches(viewer, scope, filter.owner, bindings);
    case 'deleted': {
      const conditions = ['i.deleted_at IS NOT NULL'];
      if (scope.projectId !== null) conditions.push(`i.project_id = ${bindings.add(scope.projectId)}`);
      if (filter.owner !== undefined) conditions.push(`i.project_id = ${bindings.add(filter.owner)}`);
      return [{ conditions }];
    }
  }
}

/** What belongs to nobody, or to an owner that is no project, is nobody's own. Looked up row by row, in the list's order. */
export const OF_PROJECT = '(SELECT true FROM projects p WHERE p.id = i.project_id)';

function ownedBranches(
  viewer: ListViewer,
  { projectId, visibility }: Extract<ImageScope, { kind: 'owned' }>,
  owner: string | undefined,
  bindings: Bindings,
): Branch[] {
  if (projectId !== null && owner !== undefined && owner !== projectId) return [];
  const wanted = owner ?? projectId;
  if (wanted !== null) {
    const more = [
      ...(visibility ? [isVisibility(visibility)] : []),
      ...(wanted === viewer.projectId ? [] : [OF_PROJECT]),
    ];
    return [live(`i.project_id = ${bindings.add(wanted)}`, ...more)];
  }
  return (visibility ? [visibility] : VISIBILITIES).map((each) => live(isVisibility(each), OF_PROJECT));
}

function visibleBranches(
  viewer: ListViewer,
  scope: Extract<ImageScope, { kind: 'visible' }>,
  owner: string | undefined,
  bindings: Bindings,
): Branch[] {
  const shown = (visibility: Visibility): boolean =>
    scope.visibility === undefined || scope.visibility === 'all' || scope.visibility === visibility;
  if (owner !== undefined && owner === viewer.projectId) {
    const specific = VISIBILITIES.find((visibility) => visibility === scope.visibility);
    return [live(`i.project_id = ${bindings.add(owner)}`, ...(specific ? [isVisibility(specific)] : []))];
  }
  const ofOwner = owner === undefined ? [] : [`i.project_id = ${bindings.add(owner)}`];
  const branches: Branch[] = [];
  if (shown('public')) branches.push(live(isVisibility('public'), ...ofOwner));
  // Other projects' community images are shown to those only who ask for them.
  if (scope.visibility === 'community' || scope.visibility === 'all') {
    branches.push(live(isVisibility('community'), ...ofOwner));
  } else if (shown('community') && owner === undefined && viewer.projectId !== null && viewer.isAdmin) {
    branches.push(live(isVisibility('community'), `i.project_id = ${bindings.add(viewer.projectId)}`));
  }
  if (viewer.isAdmin) {
    for (const visibility of ['shared', 'private'] as const) {
      if (shown(visibility)) branches.push(live(isVisibility(visibility), ...ofOwner));
    }
    return branches;
  }
  if (owner === undefined) {
    const visibilities = VISIBILITIES.filter((each) => each !== 'public' && shown(each));
    const owned = scope.visibility === 'all' ? visibilities.filter((each) => each !== 'community') : visibilities;
    if (owned.length > 0 && viewer.projectId !== null && scope.visibility !== 'community') {
      branches.push(live(`i.project_id = ${bindings.add(viewer.projectId)}`, isOneOf(owned)));
    }
    const ownerless = owned.filter((each) => each !== 'community');
    if (ownerless.length > 0) branches.push(live('i.project_id IS NULL', isOneOf(ownerless)));
  }
  if (shown('shared') && viewer.projectId !== null) {
    branches.push(...sharedBranches(bindings.add(viewer.projectId), scope.memberStatus, ofOwner));
  }
  return branches;
}

/** One branch a status, since the index has the status in front of the order. */
function sharedBranches(own: string, status: string, more: readonly string[]): Branch[] {
  return MEMBER_STATUSES.filter((each) => status === 'all' || each === status).map((each) => ({
    throughMembers: [`m.member = ${own}`, `m.status = '${each}'`],
    conditions: ['i.deleted_at IS NULL', isVisibility('shared'), `i.project_id <> ${own}`, ...more],
  }));
}

function live(...conditions: string[]): Branch {
  return { conditions: ['i.deleted_at IS NULL', ...conditions] };
}

function isVisibility(visibility: Visibility): string {
  return `i.visibility = '${visibility}'`;
}

function isOneOf(visibilities: readonly Visibility[]): string {
  if (visibilities.length === VISIBILITIES.length - 1 && !visibilities.includes('public'))
    return `i.visibility <> 'public'`;
  return `i.visibility IN (${visibilities.map((visibility) => `'${visibility}'`).join(', ')})`;
}

function filterConditions(filter: ImageFilter, bindings: Bindings): string[] {
  const conditions: string[] = [];
  const equal = (sql: string, value: unknown): void => {
    if (value !== undefined) conditions.push(`${sql} = ${bindings.add(value)}`);
  };
  // No parameters: partial indexes are chosen by what stands in the text.
  const isTrue = (sql: string, value: boolean | undefined): void => {
    if (value !== undefined) conditions.push(value ? sql : `NOT ${sql}`);
  };
  const anyOf = (sql: string, values: readonly unknown[] | undefined, type = 'text'): void => {
    if (values?.length === 1) equal(sql, values[0]);
    else if (values) conditions.push(`${sql} = ANY (${bindings.add(values)}::${type}[])`);
  };
  anyOf(
    'i.id',
    filter.ids?.filter((id) => isUuid(id, true)),
    'uuid',
  );
  anyOfNullable('i.name', filter.names);
  anyOf('i.status', filter.statuses);
  anyOfNullable('i.disk_format', filter.diskFormats);
  anyOfNullable('i.container_format', filter.containerFormats);
  for (const architectures of [filter.architectures, filter.knownArchitectures]) {
    if (architectures) conditions.push(architectureCondition(architectures, bindings));
  }
  isTrue('i.hidden', filter.hidden);
  isTrue('i.protected', filter.protected);
  equal('i.md5', filter.md5);
  equal('i.hash_algorithm', filter.hashAlgorithm);
  equal('i.hash_value', filter.hashValue);
  if (filter.tags && filter.tags.length > 0) conditions.push(`i.tags @> ${bindings.add(filter.tags)}::text[]`);
  if (filter.properties && Object.keys(filter.properties).length > 0) {
    conditions.push(`i.properties @> ${bindings.add(JSON.stringify(filter.properties))}::jsonb`);
  }
  numberConditions('i.size_bytes', filter.sizeBytes, bindings, conditions);
  numberConditions('i.virtual_size_bytes', filter.virtualSizeBytes, bindings, conditions);
  numberConditions('i.min_disk_gib', filter.minDiskGib, bindings, conditions);
  numberConditions('i.min_ram_mib', filter.minRamMib, bindings, conditions);
  timeConditions('i.created_at', filter.createdAt, bindings, conditions);
  timeConditions('i.updated_at', filter.updatedAt, bindings, conditions);
  timeConditions('i.deleted_at', filter.deletedAt, bindings, conditions);
  return conditions;

  /** In the form that the indexes have, and in the one that the planner has statistics of. */
  function anyOfNullable(sql: string, values: readonly string[] | undefined): void {
    anyOf(sql, values);
    anyOf(`coalesce(${sql}, '')`, values);
  }
}

export function architectureCondition(architectures: readonly (string | null)[], bindings: Bindings): string {
  const named = architectures.filter((architecture) => architecture !== null);
  const isNamed = `i.architecture = ANY (${bindings.add(named)}::text[])`;
  return architectures.includes(null) ? `(${isNamed} OR i.architecture IS NULL)` : isNamed;
}

function numberConditions(
  column: string,
  range: NumberRange | undefined,
  bindings: Bindings,
  conditions: string[],
): void {
  if (!range) return;
  // As with names: once for an index, once for the planner.
  const forms = column === 'i.size_bytes' ? [column, SORT_COLUMNS.sizeBytes.sql] : [column];
  for (const form of forms) {
    if (range.minimum !== undefined) {
      conditions.push(`${form} >= ${bindings.add(withinBigint(Math.ceil(range.minimum)))}::bigint`);
    }
    if (range.maximum !== undefined) {
      conditions.push(`${form} <= ${bindings.add(withinBigint(Math.floor(range.maximum)))}::bigint`);
    }
  }
}

/** A bound that no column could hold is still only a bound. */
function withinBigint(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function timeConditions(
  column: string,
  ranges: readonly TimeRange[] | undefined,
  bindings: Bindings,
  conditions: string[],
): void {
  for (const { from, before, outside } of ranges ?? []) {
    const bounds = [
      ...(from ? [`${column} >= ${bindings.add(from)}::timestamptz`] : []),
      ...(before ? [`${column} < ${bindings.add(before)}::timestamptz`] : []),
    ];
    if (bounds.length > 0) conditions.push(outside ? `NOT (${bounds.join(' AND ')})` : bounds.join(' AND '));
  }
}
