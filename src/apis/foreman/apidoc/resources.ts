import { ARCHITECTURE_FIELDS } from '../architectures/architectures.controller.js';
import { COMPUTE_RESOURCE_FIELDS } from '../compute-resources/compute-resources.controller.js';
import { IMAGE_FIELDS } from '../images/images.requests.js';
import { LOCATION_FIELDS } from '../locations/locations.controller.js';
import { OPERATING_SYSTEM_FIELDS } from '../operating-systems/operating-systems.controller.js';
import { ORGANIZATION_FIELDS } from '../organizations/organizations.controller.js';
import type { SearchFields } from '../search/search-fields.js';
import {
  ACCESS_TOKEN_ATTRIBUTES,
  ARCHITECTURE_ATTRIBUTES,
  COMPUTE_RESOURCE_ATTRIBUTES,
  IMAGE_ATTRIBUTES,
  LOCATION_ATTRIBUTES,
  OPERATING_SYSTEM_ATTRIBUTES,
} from './attributes.js';
import { CONTEXT, identifier, LISTING, number, type Parameter, wrapped } from './parameters.js';

/** A call of the API. */
export interface DescribedMethod {
  readonly name: string;
  readonly apis: readonly {
    readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
    readonly path: string;
    readonly says: string;
  }[];
  readonly params: readonly Parameter[];
  readonly search?: SearchFields<string>;
}

/** A resource of the API with its calls. */
export interface DescribedResource {
  readonly name: string;
  readonly title: string;
  readonly methods: readonly DescribedMethod[];
}

/** A resource that is listed and shown, and what else there is. */
function listed(
  { name, title, singular }: { readonly name: string; readonly title: string; readonly singular: string },
  search: SearchFields<string>,
  more: readonly DescribedMethod[] = [],
): DescribedResource {
  const index: DescribedMethod = {
    name: 'index',
    apis: [{ method: 'GET', path: `/api/${name}`, says: `List all ${title.toLowerCase()}` }],
    params: [...CONTEXT, ...LISTING],
    search,
  };
  const show: DescribedMethod = {
    name: 'show',
    apis: [{ method: 'GET', path: `/api/${name}/:id`, says: `Show ${singular}` }],
    params: [...CONTEXT, identifier('id', '', true)],
  };
  return { name, title, methods: [index, show, ...more] };
}

/** Create, update and destroy of a resource whose attributes are wrapped in a name. */
function changed(name: string, wrapper: string, attributes: readonly Parameter[]): DescribedMethod[] {
  const optional = attributes.map((attribute) => ({ ...attribute, required: false }));
  return [
    {
      name: 'create',
      apis: [{ method: 'POST', path: `/api/${name}`, says: `Create ${wrapper}` }],
      params: [...CONTEXT, wrapped(wrapper, attributes)],
    },
    {
      name: 'update',
      apis: [{ method: 'PUT', path: `/api/${name}/:id`, says: `Update ${wrapper}` }],
      params: [...CONTEXT, identifier('id', '', true), wrapped(wrapper, optional)],
    },
    {
      name: 'destroy',
      apis: [{ method: 'DELETE', path: `/api/${name}/:id`, says: `Delete ${wrapper}` }],
      params: [...CONTEXT, identifier('id', '', true)],
    },
  ];
}

const IMAGE_PARENTS: readonly Parameter[] = [
  identifier('compute_resource_id', 'ID of compute resource'),
  identifier('architecture_id', 'ID of architecture'),
  identifier('operatingsystem_id', 'ID of operating system'),
];
const OF_COMPUTE_RESOURCE = identifier('compute_resource_id', 'ID of compute resource', true);
const BELOW = '/api/compute_resources/:compute_resource_id/images';

const IMAGES: DescribedResource = {
  name: 'images',
  title: 'Images',
  methods: [
    {
      name: 'index',
      apis: [
        { method: 'GET', path: BELOW, says: 'List all images for a compute resource' },
        {
          method: 'GET',
          path: '/api/operatingsystems/:operatingsystem_id/images',
          says: 'List all images for operating system',
        },
        { method: 'GET', path: '/api/architectures/:architecture_id/images', says: 'List all images for architecture' },
      ],
      params: [...CONTEXT, ...IMAGE_PARENTS, ...LISTING],
      search: IMAGE_FIELDS,
    },
    {
      name: 'show',
      apis: [
        { method: 'GET', path: `${BELOW}/:id`, says: 'Show an image' },
        { method: 'GET', path: '/api/operatingsystems/:operatingsystem_id/images/:id', says: 'Show an image' },
        { method: 'GET', path: '/api/architectures/:architecture_id/images/:id', says: 'Show an image' },
      ],
      params: [...CONTEXT, identifier('id', '', true), ...IMAGE_PARENTS],
    },
    {
      name: 'create',
      apis: [{ method: 'POST', path: BELOW, says: 'Create an image' }],
      params: [...CONTEXT, OF_COMPUTE_RESOURCE, wrapped('image', IMAGE_ATTRIBUTES)],
    },
    {
      name: 'update',
      apis: [{ method: 'PUT', path: `${BELOW}/:id`, says: 'Update an image' }],
      params: [
        ...CONTEXT,
        OF_COMPUTE_RESOURCE,
        identifier('id', '', true),
        wrapped(
          'image',
          IMAGE_ATTRIBUTES.map((attribute) => ({ ...attribute, required: false })),
        ),
      ],
    },
    {
      name: 'destroy',
      apis: [{ method: 'DELETE', path: `${BELOW}/:id`, says: 'Delete an image' }],
      params: [...CONTEXT, OF_COMPUTE_RESOURCE, identifier('id', '', true)],
    },
  ],
};

const COMPUTE_RESOURCES = listed(
  { name: 'compute_resources', title: 'Compute resources', singular: 'a compute resource' },
  COMPUTE_RESOURCE_FIELDS,
  [
    ...changed('compute_resources', 'compute_resource', COMPUTE_RESOURCE_ATTRIBUTES),
    {
      name: 'available_images',
      apis: [
        {
          method: 'GET',
          path: '/api/compute_resources/:id/available_images',
          says: 'List available images for a compute resource',
        },
      ],
      params: [...CONTEXT, identifier('id', '', true)],
    },
  ],
);

const OPERATING_SYSTEMS = listed(
  { name: 'operatingsystems', title: 'Operating systems', singular: 'an operating system' },
  OPERATING_SYSTEM_FIELDS,
  changed('operatingsystems', 'operatingsystem', OPERATING_SYSTEM_ATTRIBUTES),
);

const ARCHITECTURES = listed(
  { name: 'architectures', title: 'Architectures', singular: 'an architecture' },
  ARCHITECTURE_FIELDS,
  changed('architectures', 'architecture', ARCHITECTURE_ATTRIBUTES),
);

const LOCATIONS = listed(
  { name: 'locations', title: 'Locations', singular: 'a location' },
  LOCATION_FIELDS,
  changed('locations', 'location', LOCATION_ATTRIBUTES),
);

const ORGANIZATIONS = listed(
  { name: 'organizations', title: 'Organizations', singular: 'an organization' },
  ORGANIZATION_FIELDS,
);

const HOME: DescribedResource = {
  name: 'home',
  title: 'Home',
  methods: [
    { name: 'index', apis: [{ method: 'GET', path: '/api', says: 'Show available API links' }], params: CONTEXT },
    { name: 'status', apis: [{ method: 'GET', path: '/api/status', says: 'Show status' }], params: CONTEXT },
  ],
};

const TOKENS_PATH = '/api/users/:user_id/personal_access_tokens';
const OF_USER = identifier('user_id', 'ID or login of the user, who is the caller', true);

export const PERSONAL_ACCESS_TOKENS: DescribedResource = {
  name: 'personal_access_tokens',
  title: 'Personal Access Tokens',
  methods: [
    {
      name: 'index',
      apis: [{ method: 'GET', path: TOKENS_PATH, says: 'List all Personal Access Tokens for a user' }],
      params: [...CONTEXT, OF_USER, ...LISTING],
    },
    {
      name: 'show',
      apis: [{ method: 'GET', path: `${TOKENS_PATH}/:id`, says: 'Show a Personal Access Token for a user' }],
      params: [...CONTEXT, identifier('id', '', true), OF_USER],
    },
    {
      name: 'create',
      apis: [{ method: 'POST', path: TOKENS_PATH, says: 'Create a Personal Access Token for a user' }],
      params: [...CONTEXT, OF_USER, wrapped('personal_access_token', ACCESS_TOKEN_ATTRIBUTES)],
    },
    {
      name: 'destroy',
      apis: [{ method: 'DELETE', path: `${TOKENS_PATH}/:id`, says: 'Revoke a Personal Access Token for a user' }],
      params: [...CONTEXT, identifier('id', '', true), OF_USER],
    },
  ],
};

/** Clients look for these when they start, though they need nothing of them here. */
const NAMES_ONLY = [
  'domains',
  'hostgroups',
  'media',
  'provisioning_templates',
  'ptables',
  'roles',
  'smart_proxies',
  'subnets',
  'usergroups',
  'users',
];

/** A method that a client looks for by its name; nothing answers it. */
const HOSTS: DescribedResource = {
  name: 'hosts',
  title: 'Hosts',
  methods: [
    {
      name: 'update',
      apis: [{ method: 'PUT', path: '/api/hosts/:id', says: 'Not served here' }],
      params: [number('id', '', { required: true })],
    },
  ],
};

export const RESOURCES: readonly DescribedResource[] = [
  ARCHITECTURES,
  COMPUTE_RESOURCES,
  HOME,
  HOSTS,
  IMAGES,
  LOCATIONS,
  OPERATING_SYSTEMS,
  ORGANIZATIONS,
  PERSONAL_ACCESS_TOKENS,
  ...NAMES_ONLY.map((name) => ({ name, title: name, methods: [] })),
];
