import { NEWEST, OLDEST } from '../microversion.js';

const UPDATED = '2026-01-01T00:00:00Z';
const MEDIA_TYPES = [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }];
const HOMEPAGE = 'https://docs.openstack.org/';

/** Clients take microversions from `version` and `min_version`; the older base has none. */
function version(base: 'v2' | 'v2.1') {
  return base === 'v2'
    ? { id: 'v2.0', status: 'SUPPORTED', version: '', min_version: '', updated: UPDATED }
    : { id: 'v2.1', status: 'CURRENT', version: NEWEST, min_version: OLDEST, updated: UPDATED };
}

/** Both bases, in short. @param root address of the API, without a final slash */
export function versionsDocument(root: string) {
  const bases = ['v2', 'v2.1'] as const;
  return { versions: bases.map((base) => ({ ...version(base), links: [{ rel: 'self', href: `${root}/${base}/` }] })) };
}

/** One base. */
export function versionDocument(base: 'v2' | 'v2.1', root: string) {
  return {
    version: {
      ...version(base),
      links: [
        { rel: 'self', href: `${root}/${base}/` },
        { rel: 'describedby', type: 'text/html', href: HOMEPAGE },
      ],
      'media-types': MEDIA_TYPES,
    },
  };
}

/** What a client is told that names no base. @param path what it asked for, with its slash */
export function choicesDocument(root: string, path: string) {
  const links = [{ rel: 'self', href: `${root}/v2.1${path}` }];
  return { choices: [{ id: 'v2.1', status: 'CURRENT', links, 'media-types': MEDIA_TYPES }] };
}
