import { MEMBER_STATUSES, VISIBILITIES } from '../../../modules/images/index.js';
import { type FormatWords, isWritable, WIRE_STATUSES } from '../images/image-attributes.js';
import { metadefSchemas } from './metadef-schemas.js';

const UUID_PATTERN = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$';

const readOnlyText = (description: string) => ({ type: 'string', readOnly: true, description });
const nullableText = (maxLength: number, description: string) => ({ type: ['null', 'string'], maxLength, description });
/** A property that deployments declare beside those that every image has. */
const declared = (schema: object) => ({ ...schema, is_base: false });

/** glanceclient builds its model from this document, and tells base attributes from custom properties by it. */
const imageProperties = (formats: FormatWords) => ({
  id: { type: 'string', pattern: UUID_PATTERN, description: 'An identifier for the image' },
  name: nullableText(255, 'Descriptive name for the image'),
  status: { type: 'string', readOnly: true, enum: WIRE_STATUSES, description: 'Status of the image' },
  visibility: { type: 'string', enum: [...VISIBILITIES].sort(), description: 'Scope of image accessibility' },
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  os_hidden: { type: 'boolean', description: 'If true, image will not appear in default image list response.' },
  checksum: { ...nullableText(32, 'md5 hash of image contents.'), readOnly: true },
  os_hash_algo: { ...nullableText(64, 'Algorithm to calculate the os_hash_value'), readOnly: true },
  os_hash_value: { ...nullableText(128, 'Hexdigest of the image contents using os_hash_algo'), readOnly: true },
  owner: nullableText(255, 'Owner of the image'),
  size: { type: ['null', 'integer'], readOnly: true, description: 'Size of image file in bytes' },
  virtual_size: { type: ['null', 'integer'], readOnly: true, description: 'Virtual size of image in bytes' },
  container_format: {
    type: ['null', 'string'],
    enum: [null, ...formats.container],
    description: 'Format of the container',
  },
  disk_format: { type: ['null', 'string'], enum: [null, ...formats.disk], description: 'Format of the disk' },
  created_at: readOnlyText('Date and time of image registration'),
  updated_at: readOnlyText('Date and time of the last image modification'),
  tags: {
    type: 'array',
    items: { type: 'string', maxLength: 255 },
    description: 'List of strings related to the image',
  },
  direct_url: readOnlyText('URL to access the image file kept in external store'),
  min_ram: { type: 'integer', description: 'Amount of ram (in MB) required to boot image.' },
  min_disk: { type: 'integer', description: 'Amount of disk space (in GB) required to boot image.' },
  self: readOnlyText('An image self url'),
  file: readOnlyText('An image file url'),
  stores: readOnlyText('Store in which image data resides.'),
  schema: readOnlyText('An image schema url'),
  locations: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        url: { type: 'string', maxLength: 255 },
        metadata: { type: 'object' },
        validation_data: {
          type: 'object',
          writeOnly: true,
          properties: {
            checksum: { type: 'string', minLength: 32, maxLength: 32 },
            os_hash_algo: { type: 'string', maxLength: 64 },
            os_hash_value: { type: 'string', maxLength: 128 },
          },
          required: ['os_hash_algo', 'os_hash_value'],
          additionalProperties: false,
          description: 'Digests of the content; where the image has them already, they must be the same.',
        },
      },
      required: ['url', 'metadata'],
    },
    description: 'A set of URLs to access the image file kept in external store',
  },
  kernel_id: declared({
    type: ['null', 'string'],
    pattern: UUID_PATTERN,
    description: 'ID of image used as the kernel',
  }),
  ramdisk_id: declared({
    type: ['null', 'string'],
    pattern: UUID_PATTERN,
    description: 'ID of image used as the ramdisk',
  }),
  instance_uuid: declared({ type: 'string', description: 'Instance this image is a snapshot of.' }),
  architecture: declared({ type: 'string', description: 'Operating system architecture' }),
  os_distro: declared({ type: 'string', description: 'Common name of operating system distribution' }),
  os_version: declared({ type: 'string', description: 'Operating system version as specified by the distributor.' }),
  description: declared({ type: 'string', description: 'A human-readable string describing this image.' }),
  cinder_encryption_key_id: declared({
    type: 'string',
    description: 'Identifier of the key with which volumes made from this image are encrypted.',
  }),
  cinder_encryption_key_deletion_policy: declared({
    type: 'string',
    enum: ['on_image_deletion', 'do_not_delete'],
    description: 'States the condition under which the encryption key of the image is deleted.',
  }),
});

/** The body of a create. Which formats there are is for the deployment to say. */
export const NEW_IMAGE = {
  type: 'object',
  properties: {
    ...Object.fromEntries(
      Object.entries(imageProperties({ disk: [], container: [] })).filter(
        ([name]) => isWritable(name) || name === 'id',
      ),
    ),
    disk_format: nullableText(255, 'Format of the disk'),
    container_format: nullableText(255, 'Format of the container'),
  },
  additionalProperties: { type: ['string', 'null'] },
};

const imageSchema = (formats: FormatWords) => ({
  name: 'image',
  properties: imageProperties(formats),
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
});

const MEMBER = {
  name: 'member',
  properties: {
    member_id: { type: 'string', description: 'An identifier for the image member (tenantId)' },
    image_id: { type: 'string', pattern: UUID_PATTERN, description: 'An identifier for the image' },
    created_at: { type: 'string', description: 'Date and time of image member creation' },
    updated_at: { type: 'string', description: 'Date and time of last modification of image member' },
    status: { type: 'string', enum: MEMBER_STATUSES, description: 'The status of this image member' },
    schema: { type: 'string', readOnly: true },
  },
  additionalProperties: false,
};

const TASK_PROPERTIES = {
  id: { type: 'string', pattern: UUID_PATTERN, description: 'An identifier for the task' },
  type: {
    type: 'string',
    enum: ['import', 'api_image_import', 'location_import'],
    description: 'The type of task represented by this content',
  },
  status: {
    type: 'string',
    enum: ['pending', 'processing', 'success', 'failure'],
    description: 'The current status of this task',
  },
  input: { type: ['null', 'object'], description: 'The parameters required by task, JSON blob' },
  result: { type: ['null', 'object'], description: 'The result of current task, JSON blob' },
  owner: { type: 'string', description: 'An identifier for the owner of this task' },
  message: { type: 'string', description: 'Human-readable informative message only included when appropriate' },
  image_id: { type: 'string', description: 'Image associated with the task' },
  request_id: { type: 'string', description: 'Human-readable informative request-id' },
  user_id: { type: 'string', description: 'User associated with the task' },
  expires_at: { type: ['null', 'string'], description: 'Datetime when this resource would be subject to removal' },
  created_at: { type: 'string', description: 'Datetime when this resource was created' },
  updated_at: { type: 'string', description: 'Datetime when this resource was updated' },
  self: { type: 'string', readOnly: true },
  schema: { type: 'string', readOnly: true },
};

const { input: _input, result: _result, message: _message, ...STUB_PROPERTIES } = TASK_PROPERTIES;

const TASK = { name: 'task', properties: TASK_PROPERTIES, additionalProperties: false };
/** As lists show it. */
const TASK_STUB = { ...TASK, properties: STUB_PROPERTIES };

/** A list that has pages; `items` is what stands under its name. */
function collection(name: string, items: object) {
  return {
    name,
    properties: {
      [name]: items,
      first: { type: 'string' },
      next: { type: 'string' },
      schema: { type: 'string' },
    },
    links: [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ],
  };
}

/** The documents by their names. */
export function schemas(formats: FormatWords): Readonly<Record<string, object>> {
  const image = imageSchema(formats);
  return {
    image,
    images: collection('images', { type: 'array', items: image }),
    member: MEMBER,
    members: {
      name: 'members',
      properties: { members: { type: 'array', items: MEMBER }, schema: { type: 'string' } },
      links: [{ rel: 'describedby', href: '{schema}' }],
    },
    task: TASK,
    tasks: collection('tasks', { type: 'array', items: TASK_STUB }),
  };
}

/** The documents below `metadefs/`. */
export const METADEF_SCHEMAS: Readonly<Record<string, object>> = metadefSchemas(collection);
