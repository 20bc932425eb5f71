#!/usr/bin/env node
// Checks manifests against the types of the Kubernetes API, as its client knows them: unknown members, wrong types.
import { readFile } from 'node:fs/promises';
import * as models from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';

const SCALARS = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  IntOrString: (value) => typeof value === 'string' || Number.isInteger(value),
  Date: (value) => typeof value === 'string',
  any: () => true,
};

const [path] = process.argv.slice(2);
if (path === undefined || path === '--help') {
  process.stdout.write('Usage: node scripts/check-manifests.mjs FILE\n');
  process.exit(path === undefined ? 2 : 0);
}

const problems = [];
for (const document of parseAllDocuments(await readFile(path, 'utf8'))) {
  problems.push(...document.errors.map((error) => error.message));
  const manifest = document.toJS();
  if (manifest === null) continue;
  const { apiVersion, kind } = manifest;
  const name = `${kind} ${manifest.metadata?.name}`;
  const version = String(apiVersion).split('/').at(-1);
  const type = `${version[0].toUpperCase()}${version.slice(1)}${kind}`;
  if (models[type] === undefined) problems.push(`${name}: ${apiVersion} has no ${kind}`);
  else check(manifest, type, name);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exit(problems.length > 0 ? 1 : 0);

/** Types as the client writes them: `Array<V1Container>`, `{ [key: string]: string; }`, `V1PodSpec`, `string`. */
function check(value, type, at) {
  const list = /^(?:Array|Set)<(.+)>$/.exec(type)?.[1];
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (list !== undefined) {
    if (!Array.isArray(value)) problems.push(`${at}: is no list`);
    else value.forEach((item, index) => check(item, list, `${at}[${index}]`));
  } else if (map !== undefined) {
    if (!isObject(value)) problems.push(`${at}: is no object`);
    else for (const [key, item] of Object.entries(value)) check(item, map, `${at}.${key}`);
  } else if (models[type]?.getAttributeTypeMap) checkMembers(value, type, at);
  else if (SCALARS[type] && !SCALARS[type](value)) problems.push(`${at}: ${JSON.stringify(value)} is no ${type}`);
}

function checkMembers(value, type, at) {
  if (!isObject(value)) {
    problems.push(`${at}: is no ${type}`);
    return;
  }
  const members = models[type].getAttributeTypeMap();
  for (const [key, item] of Object.entries(value)) {
    const member = members.find(({ baseName }) => baseName === key);
    if (member === undefined) problems.push(`${at}: a ${type} has no ${key}`);
    else check(item, member.type, `${at}.${key}`);
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
