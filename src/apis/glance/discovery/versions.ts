/** The minors whose calls are served, newest first: the first is CURRENT. */
const MINOR_VERSIONS = [
  'v2.18',
  'v2.17',
  'v2.16',
  'v2.15',
  'v2.14',
  'v2.13',
  'v2.12',
  'v2.11',
  'v2.10',
  'v2.9',
  'v2.8',
  'v2.7',
  'v2.6',
  'v2.5',
  'v2.4',
  'v2.3',
  'v2.2',
  'v2.1',
  'v2.0',
] as const;

/** Those that stand for calls of the cache. */
const OF_THE_CACHE: readonly string[] = ['v2.18', 'v2.16', 'v2.14'];

/** The minors that a Kiln with or without a cache serves, newest first. */
export function minorVersions(withCache: boolean): readonly string[] {
  return MINOR_VERSIONS.filter((minor) => withCache || !OF_THE_CACHE.includes(minor));
}

/** The versions document; every minor has the same address. */
export function versionsDocument(endpoint: string, minors: readonly string[]) {
  return {
    versions: minors.map((id, index) => ({
      id,
      status: index === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${endpoint}/v2/` }],
    })),
  };
}
