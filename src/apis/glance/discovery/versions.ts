/**
 * The minors whose calls are served, newest first: the first is CURRENT.
 *
 * Missing: 2.2 (metadata definitions), 2.3 (deactivate), 2.10 (removal from stores), 2.13 (usage) and 2.14 (cache).
 */
export const MINOR_VERSIONS = [
  'v2.15',
  'v2.12',
  'v2.11',
  'v2.8',
  'v2.7',
  'v2.6',
  'v2.5',
  'v2.4',
  'v2.1',
  'v2.0',
] as const;

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
