import { applyDecorators } from '@nestjs/common';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';

/** Neither PostgreSQL's text nor its JSON can hold NUL or half of a character. */
export const STORABLE = /^[^\0\p{Surrogate}]*$/u;

/** A row of an index holds 2704 bytes, of which an owner of 255 characters may take 1020. */
const MOST_NAME_BYTES = 1600;

/** Counts as the database does; the rule of the library passes over variation selectors. */
const MostCharacters = (maximum: number) =>
  ValidateBy({
    name: 'maxLength',
    constraints: [maximum],
    validator: {
      validate: (value) => typeof value !== 'string' || [...value].length <= maximum,
      defaultMessage: () => '$property must be shorter than or equal to $constraint1 characters',
    },
  });

/** May be left out, but not null. */
export const Optional = () => ValidateIf((_object, value) => value !== undefined);

/** May be left out or null. */
export const Nullable = () => ValidateIf((_object, value) => value !== undefined && value !== null);

/** A JSON string of at least one character, unless `minimum` is 0. */
export const Text = (maximum: number, { minimum = 1 } = {}) =>
  applyDecorators(
    IsString(),
    MinLength(minimum),
    MostCharacters(maximum),
    Matches(STORABLE, { message: '$property must not hold NUL characters or broken surrogates' }),
  );

/** A name: a text that an index of the database can hold, whatever its script. */
export const Name = () =>
  applyDecorators(
    Text(1024),
    ValidateBy({
      name: 'nameBytes',
      validator: {
        validate: (value) => typeof value !== 'string' || Buffer.byteLength(value) <= MOST_NAME_BYTES,
        defaultMessage: () => `$property must not take more than ${MOST_NAME_BYTES} bytes of UTF-8`,
      },
    }),
  );

/** One of these texts. */
export const Choice = (values: readonly string[]) => applyDecorators(IsIn(values));

/** `true`, `false`, or these words as text in any case. */
export const BooleanWord = () =>
  applyDecorators(
    Transform(({ value }) => readBoolean(value)),
    IsBoolean(),
  );

/** A whole number, or its decimal digits as text. */
export const IntegerWord = (minimum: number, maximum: number) =>
  applyDecorators(
    Transform(({ value }) => (typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : value)),
    IsInt(),
    Min(minimum),
    Max(maximum),
  );

/** An object of the given class. */
export const Nested = (type: () => new () => object) =>
  applyDecorators(
    ValidateNested({ message: 'must be an object' }),
    Type(type),
    // A list would be taken for many of them.
    Transform(({ value }) => (Array.isArray(value) ? NOT_AN_OBJECT : (value as unknown))),
  );

/** A list of objects of the given class. */
export const NestedList = (type: () => new () => object, maximum: number) =>
  applyDecorators(
    IsArray(),
    ArrayMaxSize(maximum),
    ValidateNested({ each: true, message: 'must be an object' }),
    Type(type),
    Transform(({ value }) => (Array.isArray(value) ? value.map(objectOrFault) : listOrFault(value))),
  );

const NOT_AN_OBJECT = 0;

function objectOrFault(element: unknown): unknown {
  return typeof element === 'object' && element !== null && !Array.isArray(element) ? element : NOT_AN_OBJECT;
}

/** An object would be taken for a list of one. */
function listOrFault(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? NOT_AN_OBJECT : value;
}

function readBoolean(value: unknown): unknown {
  if (typeof value !== 'string' || !/^(true|false)$/i.test(value)) return value;
  return value.toLowerCase() === 'true';
}
