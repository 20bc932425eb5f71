import { Ajv, type ErrorObject } from 'ajv';
import { load } from 'js-yaml';
import { declaredFault, isImageAttribute, isReservedProperty } from '../../images/index.js';
import { ConfigurationInvalidError, ConfigurationUnreadableError } from '../custom-images.errors.js';
import { extentFault } from './configuration-extent.js';
import { CONFIGURATION_SCHEMA, YES } from './configuration-schema.js';
import { CONFIGURATION_YAML } from './configuration-yaml.js';
import type { ConfiguredComponent, ConfiguredTag, ImageConfiguration } from './image-configuration.js';

const MOST_FAULTS = 50;
const MOST_ALIASES = 100;
const SYSTEM_TAG = 'parallelcluster:';
const TAG_OF_USERS = 'parallelcluster:custom_resource';
/** What Kiln reads scripts from: the web, objects of the project, its scripts by name, and what stands in the address. */
const SCRIPT_ADDRESS = /^(https:\/\/[^/\s]+|s3:\/\/[^/]+\/.|file:\/\/.|data:[^,]*;base64,[A-Za-z0-9+/]*={0,2}$)/i;

const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strict: true, strictRequired: false }).compile(
  CONFIGURATION_SCHEMA,
);

/** The text of a configuration, which may be no configuration at all: the region is asked for before that is told. */
export class ConfigurationDocument {
  private readonly root: unknown;
  /** Why it is no configuration; null: it may be one. */
  private readonly unreadable: string | null;

  constructor(text: string) {
    const { root, unreadable } = read(text);
    this.root = root;
    this.unreadable = unreadable ?? (isMapping(root) ? extentFault(root) : 'it is none');
  }

  /** The region that it names, if it can be read at all. */
  get region(): string | undefined {
    const region = isMapping(this.root) ? this.root.Region : undefined;
    return typeof region === 'string' ? region : undefined;
  }

  /**
   * The configuration, of which the shape has been checked.
   * @throws ConfigurationUnreadableError no YAML, or no mapping
   * @throws ConfigurationInvalidError another shape; names every place
   */
  check(): ImageConfiguration {
    if (this.unreadable !== null) throw new ConfigurationUnreadableError(this.unreadable);
    const faults = validate(this.root)
      ? furtherFaults(this.root as unknown as ImageConfiguration)
      : (validate.errors ?? []).map(toFault);
    if (faults.length === 0) return this.root as ImageConfiguration;
    const message = [...new Set(faults)].slice(0, MOST_FAULTS).join('; ');
    throw new ConfigurationInvalidError('Invalid image configuration.', [
      { level: 'ERROR', type: 'ImageSchemaValidator', message },
    ]);
  }
}

/** Bounded in depth and aliases. */
function read(text: string): { root: unknown; unreadable: string | null } {
  try {
    return { root: load(text, { schema: CONFIGURATION_YAML, maxAliases: MOST_ALIASES }), unreadable: null };
  } catch (error) {
    return { root: null, unreadable: (error as Error).message.split('\n')[0]! };
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toFault({ instancePath, keyword, params, message }: ErrorObject): string {
  const place = instancePath.slice(1).split('/').filter(Boolean);
  const at = (...more: string[]): string => [...place, ...more].join('.') || 'the configuration';
  if (keyword === 'required') return `${at(String(params.missingProperty))}: is required`;
  if (keyword === 'additionalProperties') return `${at(String(params.additionalProperty).slice(0, 100))}: is not known`;
  if (keyword === 'enum')
    return `${at()}: must be one of ${(params.allowedValues as unknown[]).slice(0, 4).join(', ')}`;
  return `${at()}: ${message ?? 'is not valid'}`;
}

/** What a schema cannot say, or not so that anybody understood its complaint. */
function furtherFaults({ Image, Build }: ImageConfiguration): string[] {
  return [
    ...tagFaults('Build.Tags', Build.Tags),
    ...tagFaults('Image.Tags', Image?.Tags),
    ...propertyFaults(Image?.Tags),
    ...(Build.Components ?? []).flatMap(componentFaults),
    ...iamFaults(Build.Iam ?? {}),
  ];
}

function tagFaults(place: string, tags: readonly ConfiguredTag[] = []): string[] {
  return tags
    .map(({ Key }, index) => [Key, `${place}.${index}.Key`] as const)
    .filter(([key]) => key.startsWith(SYSTEM_TAG) && key !== TAG_OF_USERS)
    .map(([, at]) => `${at}: the prefix ${SYSTEM_TAG} is reserved`);
}

/** Labels of an image are among its properties, so they follow their rules. */
function propertyFaults(tags: readonly ConfiguredTag[] = []): string[] {
  return tags.flatMap(({ Key, Value }, index) => {
    if (isImageAttribute(Key) || isReservedProperty(Key) || Key === 'architecture') {
      return [`Image.Tags.${index}.Key: images have something of that name themselves`];
    }
    const fault = declaredFault(Key, Value);
    return fault === null ? [] : [`Image.Tags.${index}.Value: ${fault}`];
  });
}

function componentFaults({ Type, Value }: ConfiguredComponent, index: number): string[] {
  const at = `Build.Components.${index}.Value`;
  if (Type === 'arn') return Value.startsWith('arn') ? [] : [`${at}: must begin with arn`];
  return SCRIPT_ADDRESS.test(Value) ? [] : [`${at}: must be a URL with the scheme https or s3`];
}

function iamFaults(iam: object): string[] {
  const exclusive = ['InstanceRole', 'InstanceProfile', 'AdditionalIamPolicies'];
  const given = exclusive.filter((key) => key in iam);
  return given.length > 1 ? [`Build.Iam: only one of ${exclusive.join(', ')} may be given`] : [];
}

/** Whether a boolean of a configuration, in any of its words, means yes. */
export function meansYes(value: boolean | number | string | undefined): boolean {
  return YES.includes(value);
}
