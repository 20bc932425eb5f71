import { checkText } from './body.js';

/** Query parameters as Fastify parses them. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** A parameter's value, the first if it comes more than once; undefined when absent. */
export function textOf(query: Query, name: string): string | undefined {
  const value = query[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined ? undefined : checkText(name, first, 255);
}

/** As Keystone reads it: there and not false. Undefined when absent. */
export function flagOf(query: Query, name: string): boolean | undefined {
  const value = textOf(query, name);
  return value === undefined ? undefined : !/^(0|false|no|off|f|n)$/i.test(value);
}
