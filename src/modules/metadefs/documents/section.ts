import { isStorable } from '../../../platform/database/storable-text.js';
import { DefinitionInvalidError } from '../metadefs.errors.js';

/**
 * One JSON object of a document, taken apart key by key. What is taken must be of its kind, and at the end nothing may
 * be left.
 */
export class Section {
  private readonly left: Set<string>;

  private constructor(
    private readonly value: Readonly<Record<string, unknown>>,
    private readonly path: string,
  ) {
    this.left = new Set(Object.keys(value));
  }

  /** Reads a whole object with `read`. @throws DefinitionInvalidError */
  static read<T>(value: unknown, path: string, read: (section: Section) => T): T {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new DefinitionInvalidError(path, 'it must be an object');
    }
    const section = new Section(value as Record<string, unknown>, path);
    const result = read(section);
    const [unknown] = section.left;
    if (unknown !== undefined)
      throw new DefinitionInvalidError(section.at(unknown.slice(0, 80)), 'there is no such key');
    return result;
  }

  /** Where a key of this object stands in the document. */
  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  /** Passes over keys that only the service writes. */
  ignore(...keys: string[]): void {
    keys.forEach((key) => this.left.delete(key));
  }

  /** Whatever is there; undefined when it is absent. */
  take(key: string): unknown {
    this.left.delete(key);
    return Object.hasOwn(this.value, key) ? this.value[key] : undefined;
  }

  /** A text of at most so many characters. */
  text(key: string, longest = Infinity): string | undefined {
    return this.optional(key, (value, path) => readText(value, path, longest));
  }

  /** As `text`, but it must be there; with `shortest`, of at least so many characters. */
  needText(key: string, longest = Infinity, shortest = 0): string {
    const text = this.text(key, longest);
    if (text === undefined) throw new DefinitionInvalidError(this.at(key), 'it is required');
    if (text.length < shortest) throw new DefinitionInvalidError(this.at(key), 'it must not be empty');
    return text;
  }

  boolean(key: string): boolean | undefined {
    return this.optional(key, (value, path) => {
      if (typeof value !== 'boolean') throw new DefinitionInvalidError(path, 'it must be true or false');
      return value;
    });
  }

  number(key: string): number | undefined {
    return this.optional(key, (value, path) => {
      if (typeof value !== 'number') throw new DefinitionInvalidError(path, 'it must be a number');
      return value;
    });
  }

  /** A whole number that is not negative. */
  count(key: string): number | undefined {
    return this.optional(key, (value, path) => {
      if (!Number.isSafeInteger(value) || (value as number) < 0) {
        throw new DefinitionInvalidError(path, 'it must be an integer of 0 or more');
      }
      return value as number;
    });
  }

  /** One of some texts. */
  oneOf<T extends string>(key: string, values: readonly T[]): T | undefined {
    return this.optional(key, (value, path) => {
      const found = values.find((each) => each === value);
      if (found === undefined) throw new DefinitionInvalidError(path, `it must be one of ${values.join(', ')}`);
      return found;
    });
  }

  /** A list, each entry read with `read`. */
  list<T>(key: string, read: (value: unknown, path: string) => T): T[] | undefined {
    return this.optional(key, (value, path) => {
      if (!Array.isArray(value)) throw new DefinitionInvalidError(path, 'it must be a list');
      return value.map((entry, index) => read(entry, `${path}[${index}]`));
    });
  }

  /** Texts, none of them twice. */
  distinctTexts(key: string): string[] | undefined {
    const texts = this.list(key, (value, path) => readText(value, path));
    if (texts && new Set(texts).size < texts.length) {
      throw new DefinitionInvalidError(this.at(key), 'nothing in it may come twice');
    }
    return texts;
  }

  /** An object used as a dictionary, each value read with `read`. */
  dictionary<T>(key: string, read: (name: string, value: unknown, path: string) => T): T[] | undefined {
    return this.optional(key, (value, path) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new DefinitionInvalidError(path, 'it must be an object');
      }
      return Object.entries(value).map(([name, entry]) => read(name, entry, `${path}.${name.slice(0, 80)}`));
    });
  }

  /** Reads what is there; null is not the same as absent. */
  optional<T>(key: string, read: (value: unknown, path: string) => T): T | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : read(value, this.at(key));
  }
}

/** @throws DefinitionInvalidError */
export function readText(value: unknown, path: string, longest = Infinity): string {
  if (typeof value !== 'string') throw new DefinitionInvalidError(path, 'it must be a string');
  // A text that PostgreSQL cannot hold: NUL, or half of a surrogate pair.
  if (!isStorable(value)) throw new DefinitionInvalidError(path, 'it has characters that cannot be kept');
  if (value.length > longest && [...value].length > longest) {
    throw new DefinitionInvalidError(path, `it may have at most ${longest} characters`);
  }
  return value;
}
