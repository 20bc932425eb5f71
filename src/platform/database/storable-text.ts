/** A zero character, or half of a pair: PostgreSQL has none of them in texts. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
const ALL_UNSTORABLE = new RegExp(UNSTORABLE, 'gu');

/** Whether PostgreSQL can hold the text as it is. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** The text as PostgreSQL can hold it: in the place of what it refuses stands what UTF-8 has for it. */
export function toStorable(text: string): string {
  return text.replace(ALL_UNSTORABLE, '\ufffd');
}

/** A value as text for a `jsonb`, as `toStorable`. */
export function toStorableJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'string' ? toStorable(each) : each));
}
