import type { ImageRule } from '../../../src/modules/images/index.js';

/** What a route's rule is asked about. */
export interface RouteRule {
  /** Null: everybody with a token. */
  readonly rule: ImageRule | null;
  /** `image`: one that the actor must see; `namespace`: likewise; `nothing`: who asks is all that counts. */
  readonly of: 'image' | 'namespace' | 'nothing';
}

const image = (rule: ImageRule): RouteRule => ({ rule, of: 'image' });
const namespace = (rule: ImageRule): RouteRule => ({ rule, of: 'namespace' });
const action = (rule: ImageRule | null): RouteRule => ({ rule, of: 'nothing' });

const NAMESPACES = '/v2/metadefs/namespaces';
const NAMESPACE = `${NAMESPACES}/:namespace`;

/**
 * The rule that answers for each route behind the token. The modules ask it, not the face; this is the list against which
 * a test walks every route with every role and state, so a route without a row does not pass.
 */
export const ROUTE_RULES: Readonly<Record<string, RouteRule>> = {
  'GET /v2/images': action('get_images'),
  'POST /v2/images': action('add_image'),
  'GET /v2/images/:imageId': image('get_image'),
  'PATCH /v2/images/:imageId': image('modify_image'),
  'DELETE /v2/images/:imageId': image('delete_image'),
  'GET /v2/images/:imageId/file': image('download_image'),
  'PUT /v2/images/:imageId/file': image('upload_image'),
  'PUT /v2/images/:imageId/stage': image('modify_image'),
  'POST /v2/images/:imageId/import': image('modify_image'),
  'GET /v2/images/:imageId/tasks': image('get_image'),
  'POST /v2/images/:imageId/actions/deactivate': image('deactivate'),
  'POST /v2/images/:imageId/actions/reactivate': image('reactivate'),
  'PUT /v2/images/:imageId/tags/:tag': image('modify_image'),
  'DELETE /v2/images/:imageId/tags/:tag': image('modify_image'),
  'GET /v2/images/:imageId/members': image('get_members'),
  'POST /v2/images/:imageId/members': image('add_member'),
  'GET /v2/images/:imageId/members/:member': image('get_member'),
  'PUT /v2/images/:imageId/members/:member': image('modify_member'),
  'DELETE /v2/images/:imageId/members/:member': image('delete_member'),
  'GET /v2/images/:imageId/locations': image('fetch_image_location'),
  'POST /v2/images/:imageId/locations': image('add_image_location'),

  'DELETE /v2/stores/:storeId/:imageId': image('delete_image_location'),

  'GET /v2/cache': action('cache_list'),
  'DELETE /v2/cache': action('cache_delete'),
  'PUT /v2/cache/:imageId': image('cache_image'),
  'DELETE /v2/cache/:imageId': image('cache_delete'),
  'POST /v2/cache/clean': action('cache_clean'),
  'POST /v2/cache/prune': action('cache_prune'),
  'GET /v2/cache/nodes/:imageId': action('cache_list'),

  'GET /v2/tasks': action('tasks_api_access'),
  'POST /v2/tasks': action('tasks_api_access'),
  'GET /v2/tasks/:taskId': action('tasks_api_access'),
  // Refused to everybody alike, before a rule is asked.
  'DELETE /v2/tasks/:taskId': action(null),

  'GET /v2/info/import': action(null),
  'GET /v2/info/usage': action(null),
  'GET /v2/info/stores': action(null),
  'GET /v2/info/stores/detail': action('stores_info_detail'),
  'GET /v2/schemas/:name': action(null),
  'GET /v2/schemas/metadefs/:name': action(null),

  'GET /v2/metadefs/resource_types': action('list_metadef_resource_types'),
  [`GET ${NAMESPACES}`]: action('get_metadef_namespaces'),
  [`POST ${NAMESPACES}`]: action('add_metadef_namespace'),
  [`GET ${NAMESPACE}`]: namespace('get_metadef_namespace'),
  [`PUT ${NAMESPACE}`]: namespace('modify_metadef_namespace'),
  [`DELETE ${NAMESPACE}`]: namespace('delete_metadef_namespace'),
  [`GET ${NAMESPACE}/objects`]: namespace('get_metadef_objects'),
  [`POST ${NAMESPACE}/objects`]: namespace('add_metadef_object'),
  [`DELETE ${NAMESPACE}/objects`]: namespace('delete_metadef_namespace'),
  [`GET ${NAMESPACE}/objects/:name`]: namespace('get_metadef_object'),
  [`PUT ${NAMESPACE}/objects/:name`]: namespace('modify_metadef_object'),
  [`DELETE ${NAMESPACE}/objects/:name`]: namespace('delete_metadef_object'),
  [`GET ${NAMESPACE}/properties`]: namespace('get_metadef_properties'),
  [`POST ${NAMESPACE}/properties`]: namespace('add_metadef_property'),
  [`DELETE ${NAMESPACE}/properties`]: namespace('delete_metadef_namespace'),
  [`GET ${NAMESPACE}/properties/:name`]: namespace('get_metadef_property'),
  [`PUT ${NAMESPACE}/properties/:name`]: namespace('modify_metadef_property'),
  [`DELETE ${NAMESPACE}/properties/:name`]: namespace('remove_metadef_property'),
  [`GET ${NAMESPACE}/tags`]: namespace('get_metadef_tags'),
  [`POST ${NAMESPACE}/tags`]: namespace('add_metadef_tags'),
  [`DELETE ${NAMESPACE}/tags`]: namespace('delete_metadef_tags'),
  [`GET ${NAMESPACE}/tags/:name`]: namespace('get_metadef_tag'),
  [`POST ${NAMESPACE}/tags/:name`]: namespace('add_metadef_tag'),
  [`PUT ${NAMESPACE}/tags/:name`]: namespace('modify_metadef_tag'),
  [`DELETE ${NAMESPACE}/tags/:name`]: namespace('delete_metadef_tag'),
  [`GET ${NAMESPACE}/resource_types`]: namespace('get_metadef_resource_type'),
  [`POST ${NAMESPACE}/resource_types`]: namespace('add_metadef_resource_type_association'),
  [`DELETE ${NAMESPACE}/resource_types/:name`]: namespace('remove_metadef_resource_type_association'),
};
