import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { RouteTable } from './route-table.js';

let instance: FastifyInstance;
const table = new RouteTable();

beforeAll(() => {
  instance = fastify();
  table.watch(instance);
  instance.get('/images', () => undefined);
  instance.get('/images/:id', () => undefined);
  instance.delete('/images/:id', () => undefined);
  instance.put('/*', () => undefined);
});
afterAll(() => instance.close());

it.each([
  ['/images', ['GET', 'HEAD', 'PUT']],
  ['/images/a', ['DELETE', 'GET', 'HEAD', 'PUT']],
  // Also where something answers for every path.
  ['/images/', []],
  ['/others/', ['PUT']],
])('knows the methods of %s', (path, methods) => {
  expect(table.methodsOf(path)).toEqual(methods);
});
