/** Where the face lies. Clients that drop the path of a server's address find the same at the root. */
export const FOREMAN_MOUNT = '/foreman';
export const FOREMAN_MOUNTS: readonly string[] = [FOREMAN_MOUNT, '/api', '/apidoc'];

/** Every mount is one API, with and without its version, and with a final slash. */
export function routedPath(path: string): string {
  const below = path.startsWith(`${FOREMAN_MOUNT}/`) ? path.slice(FOREMAN_MOUNT.length) : path;
  const unversioned = below.replace(/^\/api\/v2(?=\/|$)/, '/api');
  const trimmed = unversioned.length > 1 && unversioned.endsWith('/') ? unversioned.slice(0, -1) : unversioned;
  return below === FOREMAN_MOUNT ? path : `${FOREMAN_MOUNT}${trimmed}`;
}

/** Resources with the singular by which errors name them; an image's parents are in front of it. */
const SINGULAR: Readonly<Record<string, string>> = {
  images: 'image',
  compute_resources: 'compute_resource',
  operatingsystems: 'operatingsystem',
  architectures: 'architecture',
  locations: 'location',
  organizations: 'organization',
  personal_access_tokens: 'personal_access_token',
};

/** What a path is about: the last resource that it names. */
export function resourceOf(path: string): string {
  const [, , ...parts] = routedPath(path).slice(FOREMAN_MOUNT.length).split('/');
  const resources = parts.filter((part, index) => index % 2 === 0 && Object.hasOwn(SINGULAR, part));
  return SINGULAR[resources.at(-1) ?? ''] ?? 'resource';
}
