import type { FastifyRequest } from 'fastify';
import { isUuid } from '../../common/ids.js';
import type { SortTerm } from '../../common/paging.js';
import type { TimeCondition } from '../../common/time-condition.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { NotPermittedError } from '../../modules/tenancy/index.js';
import { BadParameterError } from './ims.errors.js';

/** The part of a list that a request asks for; without `limit` all of it. */
export interface ListWindow<Key extends string> {
  readonly sort: readonly SortTerm<Key>[];
  readonly limit: number | undefined;
  readonly marker: string | undefined;
}

const MOST_PER_PAGE = 1000;
const TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const OPERATORS: readonly string[] = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'];

/**
 * Reads the query parameters of a list. Nobody asks for those that the list does not have, so they are ignored.
 * Every method throws `BadParameterError` naming the parameter.
 */
export class ListQuery {
  readonly path: string;
  private readonly parameters: URLSearchParams;

  constructor(request: FastifyRequest) {
    // The parsed query of Fastify keeps no order among different names.
    const { pathname, searchParams } = new URL(request.originalUrl, 'http://kiln');
    this.path = pathname;
    this.parameters = searchParams;
  }

  /** `limit`, `marker`, and the order in either of its two spellings. */
  window<Key extends string>(sortKeys: Readonly<Record<string, Key>>): ListWindow<Key> {
    return { sort: this.sort(sortKeys), limit: this.limit(), marker: this.marker() };
  }

  /** Every value of a repeatable parameter, any of which matches; undefined when it is not given. */
  any(name: string): string[] | undefined {
    const values = this.parameters.getAll(name);
    if (values.some((value) => value.includes('\0'))) throw new BadParameterError(name, 'must not hold NUL characters');
    return values.length > 0 ? values : undefined;
  }

  /** As `any`, from a fixed set of values, which may also come as a comma list. */
  anyOf<Value extends string>(name: string, allowed: readonly Value[]): Value[] | undefined {
    const values = this.any(name)?.flatMap((value) => value.split(','));
    const wrong = values?.find((value) => !(allowed as readonly string[]).includes(value));
    if (wrong !== undefined) throw new BadParameterError(name, `must be one of ${allowed.join(', ')}`);
    return values as Value[] | undefined;
  }

  /** One value of a fixed set. */
  oneOf<Value extends string>(name: string, allowed: readonly Value[]): Value | undefined {
    const value = this.any(name)?.at(-1);
    if (value !== undefined && !(allowed as readonly string[]).includes(value)) {
      throw new BadParameterError(name, `must be one of ${allowed.join(', ')}`);
    }
    return value as Value | undefined;
  }

  /** As `any`, of ids, which may also come as a comma list. */
  anyId(name: string): string[] | undefined {
    const values = this.any(name)?.flatMap((value) => value.split(','));
    if (values?.some((value) => !isUuid(value, true))) throw new BadParameterError(name, 'must be an id');
    return values?.map((value) => value.toLowerCase());
  }

  boolean(name: string): boolean | undefined {
    const value = this.any(name)?.at(-1)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw new BadParameterError(name, 'must be true or false');
    return value === 'true';
  }

  /** `[operator:]time`, repeatable; all conditions hold. */
  times(name: string): TimeCondition[] {
    return (this.any(name) ?? []).map((text) => {
      const [, operator = 'eq', time = text] = /^([a-z]+):(.*)$/.exec(text) ?? [];
      const date = new Date(TIME.test(time) ? normaliseTime(time) : NaN);
      if (!OPERATORS.includes(operator) || Number.isNaN(date.getTime()) || !isCalendarDay(time)) {
        throw new BadParameterError(name, 'must look like gte:2031-05-04T10:20:30Z (eq, neq, gt, gte, lt, lte)');
      }
      return { operator: operator as TimeCondition['operator'], time: date };
    });
  }

  /** `prefix.<key>=value`, one value a key. */
  map(prefix: string): Record<string, string> | undefined {
    const pairs = [...this.parameters].filter(([name]) => name.startsWith(`${prefix}.`));
    if (pairs.some(([name, value]) => name.includes('\0') || value.includes('\0'))) {
      throw new BadParameterError(prefix, 'must not hold NUL characters');
    }
    return pairs.length > 0
      ? Object.fromEntries(pairs.map(([name, value]) => [name.slice(prefix.length + 1), value]))
      : undefined;
  }

  /**
   * The project whose records are listed; null for those of every project.
   * @throws NotPermittedError another project's, by somebody who is no administrator
   */
  owner(actor: Actor): string | null {
    const owner = this.any('owner')?.at(-1);
    if (owner === '') throw new BadParameterError('owner', 'must be a project id, or all');
    if (owner === undefined || owner === actor.projectId) return actor.projectId;
    if (!actor.isAdmin) throw new NotPermittedError(`list the records of ${owner.slice(0, 100)}`);
    return owner === 'all' ? null : owner;
  }

  /** Path and query of the page behind the record with this id. */
  nextPage(marker: string): string {
    const parameters = new URLSearchParams(this.parameters);
    parameters.set('marker', marker);
    return `${this.path}?${parameters.toString()}`;
  }

  private limit(): number | undefined {
    const text = this.any('limit')?.at(-1);
    if (text === undefined) return undefined;
    const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (limit < 1 || limit > MOST_PER_PAGE) {
      throw new BadParameterError('limit', `must be a whole number from 1 to ${MOST_PER_PAGE}`);
    }
    return limit;
  }

  private marker(): string | undefined {
    const marker = this.any('marker')?.at(-1);
    if (marker !== undefined && !isUuid(marker)) throw new BadParameterError('marker', 'is not the id of a record');
    return marker;
  }

  private sort<Key extends string>(sortKeys: Readonly<Record<string, Key>>): SortTerm<Key>[] {
    const terms = this.any('sort') ? this.combinedSort() : this.separateSort();
    return terms.map(([parameter, name, direction]) => {
      const key = Object.hasOwn(sortKeys, name) ? sortKeys[name] : undefined;
      if (key === undefined) {
        throw new BadParameterError(parameter, `must name one of ${Object.keys(sortKeys).join(', ')}`);
      }
      return { key, direction };
    });
  }

  private combinedSort(): SortText[] {
    const conflicting = ['sort_key', 'sort_dir'].find((name) => this.parameters.has(name));
    if (conflicting) throw new BadParameterError(conflicting, 'cannot be combined with sort');
    return this.any('sort')!
      .flatMap((text) => text.split(','))
      .map((term) => {
        const [, name = term, direction = 'desc'] = /^(.*?):(.*)$/.exec(term) ?? [];
        return ['sort', name.trim(), readDirection('sort', direction.trim())];
      });
  }

  private separateSort(): SortText[] {
    const names = this.any('sort_key') ?? [];
    const directions = (this.any('sort_dir') ?? []).map((text) => readDirection('sort_dir', text));
    if (names.length === 0) {
      return [['sort_dir', 'created', directions[0] ?? 'asc']];
    }
    if (directions.length > 1 && directions.length !== names.length) {
      throw new BadParameterError('sort_dir', 'must be given once, or as often as sort_key');
    }
    return names.map((name, index) => ['sort_key', name, directions[index] ?? directions[0] ?? 'desc']);
  }
}

type SortText = [parameter: string, key: string, direction: 'asc' | 'desc'];

function readDirection(parameter: string, text: string): 'asc' | 'desc' {
  if (text !== 'asc' && text !== 'desc') throw new BadParameterError(parameter, 'must be asc or desc');
  return text;
}

/** A time without a zone is UTC, as everywhere on this API. */
function normaliseTime(text: string): string {
  const iso = text.replace(' ', 'T');
  return iso.includes('T') && !/(Z|[+-]\d{2}:?\d{2})$/.test(iso) ? `${iso}Z` : iso;
}

/** `Date` takes February 30 for the first days of March. */
function isCalendarDay(text: string): boolean {
  const day = text.slice(0, 10);
  return new Date(day).toISOString().startsWith(day);
}
