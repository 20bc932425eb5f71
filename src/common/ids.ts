import { randomBytes, randomUUID } from 'node:crypto';

/** A new id of an image, recipe, key, job, file: UUID v4, lower case. */
export function newId(): string {
  return randomUUID();
}

/** A new id of a project, user or role: 32 lower-case hex digits, the form that Compute paths accept. */
export function newHexId(): string {
  return randomBytes(16).toString('hex');
}

const HEX_ID = /^[0-9a-f]{32}$/;

/** Whether `text` has the form of `newHexId`. */
export function isHexId(text: string): boolean {
  return HEX_ID.test(text);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in its canonical, lower-case form; with `anyCase`, in any case. */
export function isUuid(text: string, anyCase = false): boolean {
  return UUID.test(anyCase ? text.toLowerCase() : text);
}
