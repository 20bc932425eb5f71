import type { OpenAPIObject } from '@nestjs/swagger';
import { PRODUCT_VERSION } from '../../../common/product.js';
import { REFUSES } from '../../shared/documents/documented.js';
import type { Face } from '../../shared/face.js';
import type { DescribedFace, DescribedRoute, Schema } from './described-routes.js';
import { errorResponses, statusesOfErrors } from './error-answers.js';
import { requestSchemas } from './request-schema.js';

/** What the explorer of routes knows of one, as far as it is used here. */
interface Operation {
  [REFUSES]?: readonly number[];
  operationId: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  responses: Record<string, { description?: string; content?: unknown }>;
}

type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const;
const CREDENTIALS = {
  token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
  bearer: { type: 'http', scheme: 'bearer' },
} as const;
const BASIC = { basic: { type: 'http', scheme: 'basic' } } as const;
/** OpenAPI has no word for it; this is how the gateway of its inventor writes it. */
const SIGNATURE = {
  signature: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    'x-amazon-apigateway-authtype': 'awsSigv4',
    description: 'Signature Version 4 with an access key, for the service `execute-api`.',
  },
} as const;

/** Answers with no words of their own, by status. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  200: 'The answer.',
  201: 'Made.',
  202: 'Accepted; it goes on in the background.',
  204: 'Done; there is no body.',
  206: 'The part that was asked for.',
  300: 'What there is to choose from.',
  302: 'It is elsewhere.',
};

/**
 * The OpenAPI document of a face. Routes, methods and statuses are those that Nest serves; answers are what the handlers
 * return by their types, bodies what the rules of their classes let pass, errors what the face makes of them.
 *
 * @param explored every route, with what decorators say of it
 */
export function faceDocument(face: Face, explored: Paths, described: readonly DescribedFace[]): OpenAPIObject {
  const paths: Record<string, Record<string, unknown>> = {};
  const bodies = new Map(described.map((one) => [one, requestSchemas(one.bodies)]));
  const schemas: Record<string, Schema> = Object.assign({}, ...bodies.values());
  for (const [path, methods] of Object.entries(explored)) {
    if (!face.mounts.some((mount) => path === mount || path.startsWith(`${mount}/`))) continue;
    for (const method of METHODS) {
      const explored = methods[method] as Operation | undefined;
      // Of a handler with several paths the explorer counts them.
      const operation = explored && { ...explored, operationId: explored.operationId.replace(/\[\d+\]$/, '') };
      const of = operation && described.find(({ routes }) => Object.hasOwn(routes, operation.operationId));
      if (!operation || !of) continue;
      const route = of.routes[operation.operationId]!;
      Object.assign(schemas, of.schemas);
      const body = route.body === undefined ? undefined : (bodies.get(of) ?? {})[route.body];
      (paths[namedWildcard(path)] ??= {})[method] = document(face, path, method, operation, route, body);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: face.title, version: PRODUCT_VERSION, ...descriptionOf(face) },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: reachable(schemas, paths),
      responses: errorResponses(face),
      securitySchemes: credentialsOf(face),
    },
  };
}

function document(
  face: Face,
  path: string,
  method: string,
  operation: Operation,
  route: DescribedRoute,
  body: Schema | undefined,
): object {
  const guarded = route.guards.length > 0;
  const ranged = operation.responses['206'] !== undefined;
  const [, handler = ''] = operation.operationId.split('.');
  return {
    operationId: `${operation.operationId}:${method} ${path}`,
    tags: [operation.operationId.split('.')[0]!.replace(/Controller$/, '')],
    summary: inWords(handler),
    description: [route.description, route.area, route.see && `See ${route.see}.`].filter(Boolean).join('\n\n'),
    parameters: [...parameters(path, operation, route), ...(guarded ? headers(face) : [])],
    ...requestBody(operation, body),
    responses: {
      ...Object.fromEntries(
        [...statusesOfErrors(face, { method, guarded, ranged }), ...(operation[REFUSES] ?? [])].map((status) => [
          status,
          { $ref: `#/components/responses/${status}` },
        ]),
      ),
      ...answers(operation, route, method),
    },
    security: guarded ? Object.keys(credentialsOf(face)).map((name) => ({ [name]: [] })) : [],
  };
}

function credentialsOf({ takesBasic, takesSignatures }: Face) {
  return { ...CREDENTIALS, ...(takesBasic ? BASIC : {}), ...(takesSignatures ? SIGNATURE : {}) };
}

function descriptionOf({ otherBases }: Face): { description?: string } {
  if (otherBases.length === 0) return {};
  return { description: `The same is below ${otherBases.map((base) => `\`${base}\``).join(', ')}.` };
}

function headers({ documentedHeaders }: Face): object[] {
  return Object.entries(documentedHeaders).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
}

function answers(operation: Operation, { answer }: DescribedRoute, method: string): object {
  return Object.fromEntries(
    Object.entries(operation.responses).map(([status, { description, content }]) => {
      if (Number(status) >= 400 && !content) return [status, { $ref: `#/components/responses/${status}` }];
      const known =
        content ??
        (answer === null || method === 'head' || status === '204'
          ? undefined
          : { 'application/json': { schema: answer } });
      return [
        status,
        {
          description: description || (DESCRIPTIONS[status] ?? 'See the description.'),
          ...(known ? { content: known } : {}),
        },
      ];
    }),
  );
}

/** Not every handler takes by its name what its path has. */
function parameters(path: string, operation: Operation, { query }: DescribedRoute): object[] {
  const given = (operation.parameters ?? []).map((one) =>
    one.name === '*' || one.name === 'path' ? { ...one, name: 'key' } : one,
  );
  const named = new Set(given.map(({ name }) => name));
  const inPath = [...namedWildcard(path).matchAll(/\{(\w+)\}/g)]
    .filter(([, name]) => !named.has(name!))
    .map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const read = Object.entries(query)
    .filter(([name]) => !named.has(name))
    .map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
  return [...given, ...inPath, ...read];
}

/** Decorators say what of the body the class leaves to others. */
function requestBody({ requestBody: given }: Operation, ofClass: Schema | undefined): object {
  if (ofClass === undefined) return given ? { requestBody: given } : {};
  const more = given?.content?.['application/json']?.schema;
  const properties = { ...(ofClass.properties as Schema), ...(more?.properties as Schema | undefined) };
  return { requestBody: { required: true, content: { 'application/json': { schema: { ...ofClass, properties } } } } };
}

/** The schemas that the paths need, whatever else the face has. */
function reachable(schemas: Readonly<Record<string, Schema>>, paths: object): Record<string, Schema> {
  const found = new Map<string, Schema>();
  const visit = (value: unknown): void => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (found.has(name!) || !schemas[name!]) continue;
      found.set(name!, schemas[name!]!);
      visit(schemas[name!]);
    }
  };
  visit(paths);
  return Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** OpenAPI has no wildcards; the one that there is stands for the key of an object. */
function namedWildcard(path: string): string {
  return path.replace(/\{path\}$|\*(\w*)$/, '{key}');
}

/** `listInDetail`: List in detail. */
function inWords(name: string): string {
  const words = name.replace(/[A-Z0-9]+/g, (capital) => ` ${capital.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
