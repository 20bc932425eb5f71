/** Where the face lies; what clients put before every path. */
export const NOVA_MOUNT = '/compute';

/** A path as clients write it: `/compute/<base>[/<project>]<rest>`. */
export interface ComputePath {
  /** Null: below no base. */
  readonly base: 'v2' | 'v2.1' | null;
  /** The project, where the path names one. */
  readonly projectId: string | null;
  /** What follows, with its slash; empty if nothing does. */
  readonly rest: string;
}

const BELOW_A_BASE = /^\/compute\/(v2\.1|v2)(?:\/([0-9a-f-]+)(?![^/]))?(\/.*)?$/s;

/** @param path without the query */
export function parseComputePath(path: string): ComputePath {
  const match = BELOW_A_BASE.exec(path);
  if (!match) return { base: null, projectId: null, rest: path.slice(NOVA_MOUNT.length) };
  return { base: match[1] as 'v2' | 'v2.1', projectId: match[2] ?? null, rest: match[3] ?? '' };
}

/** The path by which it is routed: both bases, with and without a project, are one API. */
export function routedPath(path: string): string {
  const { base, projectId, rest } = parseComputePath(path);
  if (base === null) return rest === '/' ? NOVA_MOUNT : path;
  if (rest !== '' && rest !== '/') return `${NOVA_MOUNT}/v2.1${rest}`;
  return projectId === null ? `${NOVA_MOUNT}/${base}` : `${NOVA_MOUNT}/v2.1/`;
}
