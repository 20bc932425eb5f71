/**
 * The minors whose calls are served, newest first: the first is CURRENT.
 *
 * Missing: 2.2 (tasks, metadata definitions), 2.3 (deactivate), 2.6 (import), 2.8 and 2.10 to 2.14 (import into stores,
 * removal from stores, image tasks, usage, cache).
 */
export const MINOR_VERSIONS = ['v2.15', 'v2.7', 'v2.5', 'v2.4', 'v2.1', 'v2.0'] as const;

/** The versions document; every minor has the same address. */
export function versionsDocument(endpoint: string) {
  return {
    versions: MINOR_VERSIONS.map((id, index) => ({
      id,
      status: index === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${endpoint}/v2/` }],
    })),
  };
}
