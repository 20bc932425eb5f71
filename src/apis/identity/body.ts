import { InvalidError } from '../../common/errors.js';
import { isJsonObject, parseJsonBody } from '../shared/requests/json-body.js';

const MALFORMED =
  'The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.';

/** A body of the wrong shape, in Keystone's words. */
export class MalformedBodyError extends InvalidError {
  override readonly code = 'identity.malformed_body';
  constructor(attribute: string, target: string) {
    super(`Expecting to find ${attribute} in ${target}. ${MALFORMED}`);
  }
}

/** A member of a request that has a value of the wrong kind. */
export class InvalidMemberError extends InvalidError {
  override readonly code = 'identity.invalid_member';
  constructor(member: string, expected: string) {
    super(`Invalid input for field '${member}': it must be ${expected}.`);
  }
}

/**
 * A JSON object of a request, read member by member. Keystone's objects are open (clients may add members), so nothing
 * is said about those that nobody asks for.
 */
export class BodyObject {
  private constructor(
    private readonly members: Readonly<Record<string, unknown>>,
    private readonly path: string,
  ) {}

  /** @throws UnparsableBodyError, MalformedBodyError */
  static parse(body: unknown): BodyObject {
    return BodyObject.of(parseJsonBody(body), 'the request body');
  }

  private static of(value: unknown, path: string): BodyObject {
    if (!isJsonObject(value)) throw new InvalidMemberError(path, 'an object');
    return new BodyObject(value, path);
  }

  get isEmpty(): boolean {
    return Object.keys(this.members).length === 0;
  }

  /** Null counts as absent. */
  has(name: string): boolean {
    return this.members[name] != null;
  }

  object(name: string): BodyObject {
    return BodyObject.of(this.required(name), name);
  }

  text(name: string, maximumLength = 255): string {
    const value = this.required(name);
    if (typeof value !== 'string') throw new InvalidMemberError(name, 'text');
    return checkText(name, value, maximumLength);
  }

  optionalText(name: string, maximumLength = 255): string | undefined {
    return this.has(name) ? this.text(name, maximumLength) : undefined;
  }

  /** Undefined when absent, null when the client says so. */
  nullableText(name: string, maximumLength = 255): string | null | undefined {
    if (!(name in this.members)) return undefined;
    return this.has(name) ? this.text(name, maximumLength) : null;
  }

  optionalFlag(name: string): boolean | undefined {
    return this.has(name) ? this.flag(name) : undefined;
  }

  /** A whole number within bounds. */
  integer(name: string, minimum: number, maximum: number): number {
    const value = this.required(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
    throw new InvalidMemberError(name, `a whole number from ${minimum} to ${maximum}`);
  }

  flag(name: string): boolean {
    const value = this.members[name] ?? false;
    if (typeof value !== 'boolean') throw new InvalidMemberError(name, 'true or false');
    return value;
  }

  texts(name: string): string[] {
    return this.list(name).map((value) => {
      if (typeof value !== 'string') throw new InvalidMemberError(name, 'a list of texts');
      return value;
    });
  }

  objects(name: string): BodyObject[] {
    return this.list(name).map((value) => BodyObject.of(value, name));
  }

  /** The only one of these members that is there. */
  oneOf<Name extends string>(...names: Name[]): Name {
    const found = names.filter((name) => name in this.members);
    if (found.length !== 1) throw new MalformedBodyError(`exactly one of ${names.join(', ')}`, this.path);
    return found[0]!;
  }

  get(name: string): unknown {
    return this.members[name];
  }

  private list(name: string): unknown[] {
    const value = this.required(name);
    if (!Array.isArray(value)) throw new InvalidMemberError(name, 'a list');
    return value;
  }

  private required(name: string): unknown {
    const value = this.members[name];
    if (value == null) throw new MalformedBodyError(name, this.path);
    return value;
  }
}

/** Text that may go to the database. */
export function checkText(name: string, value: string, maximumLength: number): string {
  if (value.includes('\0')) throw new InvalidMemberError(name, 'text without zero characters');
  if (/\p{Surrogate}/u.test(value)) throw new InvalidMemberError(name, 'text of whole characters');
  if (value.length > maximumLength) throw new InvalidMemberError(name, `text of at most ${maximumLength} characters`);
  return value;
}
