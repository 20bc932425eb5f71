const ADMIN = 'rule:context_is_admin';
const OWN_READER = 'role:reader and project_id:%(project_id)s';
const OWN_MEMBER = 'role:member and project_id:%(project_id)s';
const ADMIN_OR_OWN_READER = `${ADMIN} or (${OWN_READER})`;
const ADMIN_OR_OWN_MEMBER = `${ADMIN} or (${OWN_MEMBER})`;
const SEEN =
  "project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s " +
  "or 'shared':%(visibility)s or None:%(owner)s";
const NAMESPACE_READER = `${ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))`;
const NAMESPACE_WRITER = 'rule:metadef_admin';

/**
 * Who may what with images and all that belongs to them, by default. The names are those of the reference, so that an
 * operator's file fits; what they say is what the contract says of the reference's newer defaults.
 *
 * `%(project_id)s` and `%(owner)s` are the owner of the image, `%(member_id)s` the project that it is shared with and that
 * is asked for, and any further name an attribute or a property of the image.
 *
 * @see Glance, `glance/policies`
 */
export const IMAGE_RULES = {
  default: '',
  context_is_admin: 'role:admin',

  add_image: `${ADMIN} or (${OWN_MEMBER} and project_id:%(owner)s)`,
  get_image: `${ADMIN} or (role:reader and (${SEEN}))`,
  get_images: ADMIN_OR_OWN_READER,
  modify_image: ADMIN_OR_OWN_MEMBER,
  delete_image: ADMIN_OR_OWN_MEMBER,
  publicize_image: ADMIN,
  communitize_image: ADMIN_OR_OWN_MEMBER,
  download_image: `${ADMIN} or (role:member and (${SEEN}))`,
  upload_image: ADMIN_OR_OWN_MEMBER,
  deactivate: ADMIN_OR_OWN_MEMBER,
  reactivate: ADMIN_OR_OWN_MEMBER,
  // Staging and import are `modify_image` in the reference, but for this method.
  copy_image: ADMIN,

  get_image_location: ADMIN_OR_OWN_READER,
  set_image_location: ADMIN_OR_OWN_MEMBER,
  delete_image_location: ADMIN,
  add_image_location: `${ADMIN} or role:service or (${OWN_MEMBER})`,
  fetch_image_location: `${ADMIN} or role:service`,
  stores_info_detail: `${ADMIN} or role:service`,

  add_member: ADMIN_OR_OWN_MEMBER,
  delete_member: ADMIN_OR_OWN_MEMBER,
  get_member: `${ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))`,
  get_members: `${ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))`,
  modify_member: `${ADMIN} or (role:member and project_id:%(member_id)s)`,

  tasks_api_access: ADMIN,
  get_task: 'rule:default',
  get_tasks: 'rule:default',
  add_task: 'rule:default',
  modify_task: 'rule:default',

  manage_image_cache: ADMIN,
  cache_image: 'rule:manage_image_cache',
  cache_list: 'rule:manage_image_cache',
  cache_delete: 'rule:manage_image_cache',
  cache_clean: 'rule:manage_image_cache',
  cache_prune: 'rule:manage_image_cache',

  metadef_default: '',
  metadef_admin: ADMIN,
  get_metadef_namespace: NAMESPACE_READER,
  get_metadef_namespaces: ADMIN_OR_OWN_READER,
  add_metadef_namespace: NAMESPACE_WRITER,
  modify_metadef_namespace: NAMESPACE_WRITER,
  delete_metadef_namespace: NAMESPACE_WRITER,
  get_metadef_object: NAMESPACE_READER,
  get_metadef_objects: NAMESPACE_READER,
  add_metadef_object: NAMESPACE_WRITER,
  modify_metadef_object: NAMESPACE_WRITER,
  delete_metadef_object: NAMESPACE_WRITER,
  list_metadef_resource_types: NAMESPACE_READER,
  get_metadef_resource_type: NAMESPACE_READER,
  add_metadef_resource_type_association: NAMESPACE_WRITER,
  remove_metadef_resource_type_association: NAMESPACE_WRITER,
  get_metadef_property: NAMESPACE_READER,
  get_metadef_properties: NAMESPACE_READER,
  add_metadef_property: NAMESPACE_WRITER,
  modify_metadef_property: NAMESPACE_WRITER,
  remove_metadef_property: NAMESPACE_WRITER,
  get_metadef_tag: NAMESPACE_READER,
  get_metadef_tags: NAMESPACE_READER,
  add_metadef_tag: NAMESPACE_WRITER,
  add_metadef_tags: NAMESPACE_WRITER,
  modify_metadef_tag: NAMESPACE_WRITER,
  delete_metadef_tag: NAMESPACE_WRITER,
  delete_metadef_tags: NAMESPACE_WRITER,
} as const;

/** A rule that the image API asks for. */
export type ImageRule = keyof typeof IMAGE_RULES;
