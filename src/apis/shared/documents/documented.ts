import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtension, ApiQuery, ApiResponse } from '@nestjs/swagger';

/** What routes are said to take and give where neither types nor rules of classes say it. */
type Schema = Readonly<Record<string, unknown>>;

const BYTES = { type: 'string', format: 'binary' } as const;

/** A JSON object with these members. */
export const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
});

export const text: Schema = { type: 'string' };

/** The body of a request that no class describes. */
export const Takes = (schema: Schema, ...types: readonly string[]): MethodDecorator =>
  applyDecorators(ApiConsumes(...(types.length > 0 ? types : ['application/json'])), ApiBody({ schema }));

/** The body is bytes, of any or of the given type. */
export const TakesBytes = (type = '*/*'): MethodDecorator => Takes(BYTES, type);

/** The statuses of a handler: with the media type, where it sends bytes; null for what the types say. */
export const Sends = (answers: Readonly<Record<number, string | null>>): MethodDecorator =>
  applyDecorators(
    ...Object.entries(answers).map(([status, type]) =>
      ApiResponse({ status: Number(status), ...(type === null ? {} : { content: { [type]: { schema: BYTES } } }) }),
    ),
  );

/** A query parameter with one of these values, without which nothing is answered. */
export const AsksFor = (name: string, values: readonly string[]): MethodDecorator =>
  ApiQuery({ name, required: true, schema: { type: 'string', enum: [...values] } });

/** Query parameters that are read by tables. */
export const Asks = (...names: readonly string[]): MethodDecorator =>
  applyDecorators(...names.map((name) => ApiQuery({ name, required: false, schema: { type: 'string' } })));

/** Where an operation keeps what `Refuses` says. */
export const REFUSES = 'x-refuses';

/** Statuses of errors that other routes of this kind do not have. */
export const Refuses = (...statuses: readonly number[]): MethodDecorator => ApiExtension(REFUSES, statuses);
