import { parseParameters } from '../shared/requests/query-string.js';
import { BadInputError } from './parallelcluster.errors.js';

/** The parameters of a query; the last mention of a name counts, and names that nobody knows are passed over. */
export class Query {
  private readonly parameters: ReadonlyArray<readonly [string, string]>;

  /** @throws UnreadableQueryError */
  constructor(url: string) {
    this.parameters = parseParameters(url);
  }

  text(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** Every mention, in order. */
  all(name: string): string[] {
    return this.parameters.filter(([found]) => found === name).map(([, value]) => value);
  }

  /** Clients write `True` and `False`. @throws BadInputError */
  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const word = text.toLowerCase();
    if (word !== 'true' && word !== 'false') {
      throw new BadInputError(`Wrong type, expected 'boolean' for query parameter '${name}'`);
    }
    return word === 'true';
  }

  /** @throws BadInputError */
  choice<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined || (values as readonly string[]).includes(text)) return text as T | undefined;
    throw new BadInputError(notOneOf(text, values, name));
  }
}

/** What is said of a value that is none of those that there are. */
export function notOneOf(value: string, values: readonly string[], name: string): string {
  return `${quoted(value)} is not one of [${values.map(quoted).join(', ')}] (${name})`;
}

/** A value as a message repeats it. */
export function quoted(value: string): string {
  return `'${value.slice(0, 200)}'`;
}
