import {
  binaryTag,
  boolYaml11Tag,
  defineMappingTag,
  defineScalarTag,
  NOT_RESOLVED,
  type ScalarTagDefinition,
  setTag,
  timestampTag,
  YAML11_SCHEMA,
} from 'js-yaml';

/** PyYAML takes one letter for a text: `Value: n` says no more than that. */
const words = defineScalarTag<boolean>(boolYaml11Tag.tagName, {
  ...boolYaml11Tag,
  resolve: (source, ...more) => (source.length === 1 ? NOT_RESOLVED : boolYaml11Tag.resolve(source, ...more)),
});

/** As null, which no part of a configuration may be: a schema of JSON takes dates, bytes and sets for mappings. */
const asNull = (tag: ScalarTagDefinition) =>
  defineScalarTag<null>(tag.tagName, {
    ...tag,
    resolve: (source, ...more) => (tag.resolve(source, ...more) === NOT_RESOLVED ? NOT_RESOLVED : null),
  });

const sets = defineMappingTag<Set<unknown>, null>(setTag.tagName, {
  ...setTag,
  finalize: () => null,
  get: () => null,
  keys: () => [],
});

/** YAML 1.1 as the reference reads it, of which nothing comes but what JSON has. */
export const CONFIGURATION_YAML = YAML11_SCHEMA.withTags(words, asNull(timestampTag), asNull(binaryTag), sets);
