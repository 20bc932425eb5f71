/**
 * Whether the objects of a record go with it, by the query parameter `cascade`: unless it is given, they do.
 * @see Image Management Service v2, DELETE /images and /recipes
 */
export function readCascade(parameter: unknown): boolean {
  const value: unknown = Array.isArray(parameter) ? parameter.at(-1) : parameter;
  return value === undefined || (typeof value === 'string' && /^(true|yes|t|1)$/i.test(value));
}
