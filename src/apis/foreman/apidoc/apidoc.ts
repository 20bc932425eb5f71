import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentParameter } from './parameters.js';
import { type DescribedMethod, type DescribedResource, PERSONAL_ACCESS_TOKENS, RESOURCES } from './resources.js';

const TYPES = { text: 'string', integer: 'integer' } as const;

/**
 * The description of the API that clients read before anything else, and build their requests from. Addresses are those below
 * any mount, and the same in every language.
 * @see apipie-rails, `Apipie.to_json`
 */
@Injectable()
export class Apidoc {
  readonly document;
  /** Clients drop what they know of the API when it changes, and name a file after it. */
  readonly checksum: string;
  private readonly resources: readonly DescribedResource[];

  constructor({ keystone }: Config) {
    this.resources = RESOURCES.filter((each) => !keystone || each !== PERSONAL_ACCESS_TOKENS);
    this.document = documentOf(this.resources);
    this.checksum = createHash('md5').update(JSON.stringify(this.document)).digest('hex');
  }

  /** What there is, for whoever asks for the root of the API. */
  links(): Record<string, Record<string, string>> {
    const linked = this.resources.filter(({ name, methods }) => methods.length > 0 && name !== 'hosts');
    return Object.fromEntries(
      linked.map(({ name, methods }) => [
        name,
        Object.fromEntries(methods.flatMap(({ apis }) => apis.map(({ says, path }) => [says, path]))),
      ]),
    );
  }
}

function documentOf(resources: readonly DescribedResource[]) {
  return {
    docs: {
      name: 'Foreman',
      info: '<p>Images of this registry for Foreman, and what they refer to</p>',
      copyright: '',
      doc_url: '/apidoc/v2',
      api_url: '/api',
      link_extension: '.html',
      resources: Object.fromEntries(
        [...resources].sort((a, b) => (a.name < b.name ? -1 : 1)).map((each) => [each.name, presentResource(each)]),
      ),
    },
  };
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
