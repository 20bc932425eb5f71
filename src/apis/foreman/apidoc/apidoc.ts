import { createHash } from 'node:crypto';
import type { SearchFields } from '../search/search-fields.js';
import { presentParameter } from './parameters.js';
import { type DescribedMethod, type DescribedResource, RESOURCES } from './resources.js';

const TYPES = { text: 'string', integer: 'integer' } as const;

/**
 * The description of the API that clients read before anything else, and build their requests from. Addresses are those below
 * any mount, and the same in every language.
 * @see apipie-rails, `Apipie.to_json`
 */
export const APIDOC = {
  docs: {
    name: 'Foreman',
    info: '<p>Images of this registry for Foreman, and what they refer to</p>',
    copyright: '',
    doc_url: '/apidoc/v2',
    api_url: '/api',
    link_extension: '.html',
    resources: Object.fromEntries(
      [...RESOURCES].sort((a, b) => (a.name < b.name ? -1 : 1)).map((each) => [each.name, presentResource(each)]),
    ),
  },
};

/** Clients drop what they know of the API when it changes, and name a file after it. */
export const APIDOC_CHECKSUM = createHash('md5').update(JSON.stringify(APIDOC)).digest('hex');

/** What there is, for whoever asks for the root of the API. */
export function apiLinks(): Record<string, Record<string, string>> {
  const linked = RESOURCES.filter(({ name, methods }) => methods.length > 0 && name !== 'hosts');
  return Object.fromEntries(
    linked.map(({ name, methods }) => [
      name,
      Object.fromEntries(methods.flatMap(({ apis }) => apis.map(({ says, path }) => [says, path]))),
    ]),
  );
}

function presentResource({ name, title, methods }: DescribedResource) {
  return {
    doc_url: `/apidoc/v2/${name}`,
    id: name,
    api_url: '/api',
    name: title,
    short_description: null,
    full_description: null,
    version: 'v2',
    formats: null,
    metadata: null,
    methods: methods.map((method) => presentMethod(name, method)),
  };
}

function presentMethod(resource: string, { name, apis, params, search }: DescribedMethod) {
  return {
    doc_url: `/apidoc/v2/${resource}/${name}`,
    name,
    apis: apis.map(({ method, path, says }) => ({ api_url: path, http_method: method, short_description: says })),
    formats: null,
    full_description: '',
    errors: [],
    params: params.map((each) => presentParameter(each)),
    returns: [],
    examples: [],
    metadata: search ? { search: presentSearch(search) } : null,
    see: [],
    headers: [],
    show: true,
  };
}

function presentSearch(fields: SearchFields<string>) {
  return Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { type }]) =>
      type === 'boolean' ? { name, values: ['true', 'false'] } : { name, type: TYPES[type] },
    );
}
