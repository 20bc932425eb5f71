#!/usr/bin/env node
// A step of `npm run build`: writes what the types of the controllers say of their routes beside the build, for /docs.
//
// Handlers answer with what their presenters return, so the compiler knows every answer; nothing has to say it again.
// Of each route it also sees the guards, the docstring, the class of the body and the query parameters that are read.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ts from 'typescript';
import { root } from './lib/project.mjs';

const METHODS = new Set(['Get', 'Head', 'Post', 'Put', 'Patch', 'Delete', 'All']);
const FACES = join('src', 'apis');
/** How far calls are followed from a handler. */
const DEEPEST_CALL = 6;

function main() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.build.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const file = join(root, 'dist', FACES, 'root', 'documentation', 'routes.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(describe(ts.createProgram(fileNames, options))));
}

/** By folder of the face: what its routes are, by `Controller.method`, and the schemas to which they refer. */
function describe(program) {
  const checker = program.getTypeChecker();
  const faces = {};
  for (const file of program.getSourceFiles()) {
    const path = relative(root, file.fileName);
    if (!path.startsWith(FACES + sep) || !path.endsWith('.controller.ts')) continue;
    const face = path.split(sep)[2];
    faces[face] ??= new FaceDescription(checker);
    file.forEachChild((node) => {
      if (ts.isClassDeclaration(node) && decoratorsOf(node).some(({ name }) => name === 'Controller'))
        faces[face].add(node);
    });
  }
  return Object.fromEntries(
    Object.entries(faces).map(([name, { routes, bodies, schemas }]) => [name, { routes, bodies, schemas }]),
  );
}

class FaceDescription {
  routes = {};
  /** Classes of request bodies: the class of each member that is an object or a list of them. */
  bodies = {};
  schemas = {};
  #names = new Map();

  constructor(checker) {
    this.checker = checker;
  }

  add(controller) {
    const type = this.checker.getTypeAtLocation(controller.name);
    const guards = guardsOf(controller);
    for (const member of this.checker.getPropertiesOfType(type)) {
      const method = member.valueDeclaration;
      if (!method || !ts.isMethodDeclaration(method)) continue;
      if (!decoratorsOf(method).some(({ name }) => METHODS.has(name))) continue;
      const signature = this.checker.getSignatureFromDeclaration(method);
      const answer = this.checker.getAwaitedType(signature.getReturnType());
      const reads = new Reads(this.checker);
      reads.follow(method.body, 0);
      for (const body of reads.bodies) this.#addBody(body);
      this.routes[`${controller.name.text}.${member.name}`] = {
        description: ts.displayPartsToString(member.getDocumentationComment(this.checker)),
        area: ts.displayPartsToString(type.symbol.getDocumentationComment(this.checker)),
        see: seeOf(type.symbol, this.checker),
        guards: [...guards, ...guardsOf(method)],
        answer: this.#schema(answer, 0),
        body: [...reads.bodies].map(({ name }) => name.text)[0],
        query: reads.query,
      };
    }
  }

  #addBody(declaration) {
    if (this.bodies[declaration.name.text]) return;
    const members = (this.bodies[declaration.name.text] = {});
    for (const property of this.checker.getPropertiesOfType(this.checker.getTypeAtLocation(declaration.name))) {
      const nested = this.#classWithin(this.checker.getTypeOfSymbol(property));
      members[property.name] = nested?.name.text ?? null;
      if (nested) this.#addBody(nested);
    }
  }

  #classWithin(type) {
    const bare = this.checker.getNonNullableType(type);
    const element = this.checker.isArrayType(bare) ? this.checker.getTypeArguments(bare)[0] : bare;
    const declaration = element.symbol?.valueDeclaration;
    return declaration && ts.isClassDeclaration(declaration) && isOfFaces(declaration) ? declaration : undefined;
  }

  /** What JSON makes of a type; null: there is no body. */
  #schema(type, depth) {
    const { checker } = this;
    const flags = type.flags;
    if (flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never)) return null;
    if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter) || depth > 20) return {};
    if (flags & ts.TypeFlags.Null) return { type: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (flags & ts.TypeFlags.BooleanLiteral) return { const: type.intrinsicName === 'true' };
    if (flags & (ts.TypeFlags.StringLike | ts.TypeFlags.TemplateLiteral)) return { type: 'string' };
    if (flags & ts.TypeFlags.NumberLike) return { type: 'number' };
    if (flags & ts.TypeFlags.BooleanLike && !type.isUnion()) return { type: 'boolean' };
    // What a handler sent by itself.
    if (type.symbol?.name === 'Answered') return this.#schema(checker.getTypeArguments(type)[0], depth + 1);
    if (type.isUnion()) return this.#union(type.types, depth);
    if (checker.isTupleType(type) || checker.isArrayType(type)) {
      const elements = checker.getTypeArguments(type);
      const items = elements.length === 0 ? {} : this.#union([...new Set(elements)], depth + 1);
      return { type: 'array', items: items ?? {} };
    }
    if (type.symbol?.name === 'Date') return { type: 'string', format: 'date-time' };
    if (flags & ts.TypeFlags.NonPrimitive) return { type: 'object' };
    const name = this.#nameOf(type);
    if (name === undefined) return this.#object(type, depth);
    if (!this.schemas[name]) {
      this.schemas[name] = {};
      this.schemas[name] = this.#object(type, depth);
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  #union(types, depth) {
    const schemas = types.map((one) => this.#schema(one, depth + 1)).filter((schema) => schema !== null);
    if (schemas.length === 0) return null;
    const constants = schemas.filter((schema) => 'const' in schema).map((schema) => schema.const);
    const words = constants.filter((value) => typeof value === 'string');
    const others = schemas.filter((schema) => !('const' in schema));
    if (constants.includes(true) && constants.includes(false)) others.push({ type: 'boolean' });
    else others.push(...constants.filter((value) => typeof value !== 'string').map((value) => ({ const: value })));
    if (words.length > 0) others.push(words.length === 1 ? { const: words[0] } : { type: 'string', enum: words });
    const distinct = [...new Map(others.map((schema) => [JSON.stringify(schema), schema])).values()];
    return distinct.length === 1 ? distinct[0] : { anyOf: distinct };
  }

  #object(type, depth) {
    const { checker } = this;
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(type)) {
      const of = checker.getTypeOfSymbol(property);
      if (property.name.startsWith('__@') || checker.getNonNullableType(of).getCallSignatures().length > 0) continue;
      const schema = this.#schema(of, depth + 1);
      // Always undefined: never sent.
      if (schema === null) continue;
      const description = ts.displayPartsToString(property.getDocumentationComment(checker));
      properties[property.name] = description === '' || '$ref' in schema ? schema : { ...schema, description };
      const mayLack = property.flags & ts.SymbolFlags.Optional || includesUndefined(of);
      if (!mayLack) required.push(property.name);
    }
    const index = checker.getIndexInfoOfType(type, ts.IndexKind.String);
    return {
      type: 'object',
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: index ? (this.#schema(index.type, depth + 1) ?? false) : false,
    };
  }

  /** Types with a name keep it; what a presenter returns is called as the presenter is. */
  #nameOf(type) {
    const known = this.#names.get(type);
    if (known !== undefined) return known;
    const wanted = wantedName(type);
    if (wanted === undefined) return undefined;
    const taken = new Set(this.#names.values());
    let name = wanted;
    for (let n = 2; taken.has(name); n += 1) name = `${wanted}${n}`;
    this.#names.set(type, name);
    return name;
  }
}

/** What a handler reads of its request, also in the functions that it calls. */
class Reads {
  bodies = new Set();
  query = {};
  #seen = new Set();

  constructor(checker) {
    this.checker = checker;
  }

  follow(node, depth) {
    if (!node || depth > DEEPEST_CALL) return;
    const visit = (child) => {
      if (ts.isCallExpression(child)) this.#call(child, depth);
      child.forEachChild(visit);
    };
    visit(node);
  }

  #call(call, depth) {
    for (const argument of call.arguments) this.#argument(argument);
    this.#parameter(call);
    const declaration = this.#declarationOf(call.expression);
    const functional = ts.isVariableDeclaration(declaration ?? call) ? declaration.initializer : declaration;
    if (!functional || !ts.isFunctionLike(functional) || !functional.body || !isOfFaces(functional)) return;
    if (this.#seen.has(functional)) return;
    this.#seen.add(functional);
    this.follow(functional.body, depth + 1);
  }

  #argument(argument) {
    if (!ts.isIdentifier(argument)) return;
    const declaration = this.#declarationOf(argument);
    if (!declaration || !ts.isClassDeclaration(declaration) || !isOfFaces(declaration)) return;
    if (declaration.members.some((member) => ts.isPropertyDeclaration(member) && decoratorsOf(member).length > 0))
      this.bodies.add(declaration);
  }

  #parameter(call) {
    const { expression } = call;
    const [first, second] = call.arguments;
    if (ts.isPropertyAccessExpression(expression)) {
      const receiver = expression.expression;
      const of = this.checker.getTypeAtLocation(receiver).symbol?.name;
      const reads = of === 'ListQuery' || (/Map$/.test(of ?? '') && receiver.getText() === 'last');
      if (reads && first && ts.isStringLiteral(first)) this.#add(first.text, expression.name.text, second);
    } else if (['textOf', 'flagOf'].includes(expression.getText()) && second && ts.isStringLiteral(second)) {
      this.#add(second.text, expression.getText() === 'flagOf' ? 'boolean' : 'text');
    }
  }

  #add(name, how, allowed) {
    const words = allowed ? this.#words(allowed) : [];
    const one = { type: 'string', ...(words.length > 0 && how === 'oneOf' ? { enum: words } : {}) };
    if (how === 'map') this.query[`${name}.{key}`] = { type: 'string' };
    else if (how === 'boolean') this.query[name] = { type: 'string', enum: ['true', 'false'] };
    else if (['any', 'anyOf', 'anyId', 'times'].includes(how)) this.query[name] ??= { type: 'array', items: one };
    else this.query[name] ??= one;
  }

  #words(list) {
    const type = this.checker.getTypeAtLocation(list);
    const element = this.checker.getIndexTypeOfType(type, ts.IndexKind.Number);
    return (element?.isUnion() ? element.types : [element])
      .filter((one) => one?.isStringLiteral())
      .map((one) => one.value);
  }

  #declarationOf(expression) {
    const symbol = this.checker.getSymbolAtLocation(
      ts.isPropertyAccessExpression(expression) ? expression.name : expression,
    );
    const real = symbol && symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
    return real?.valueDeclaration;
  }
}

function wantedName(type) {
  if (type.aliasSymbol && !type.aliasTypeArguments) return type.aliasSymbol.name;
  const declaration = type.symbol?.declarations?.[0];
  if (!declaration || type.objectFlags & ts.ObjectFlags.Instantiated) return undefined;
  if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) {
    return declaration.typeParameters ? undefined : type.symbol.name;
  }
  if (!ts.isObjectLiteralExpression(declaration)) return undefined;
  let node = declaration.parent;
  while (ts.isParenthesizedExpression(node) || ts.isReturnStatement(node) || ts.isBlock(node)) node = node.parent;
  const named = ts.isFunctionDeclaration(node) ? node.name : ts.isArrowFunction(node) ? node.parent.name : undefined;
  const match = /^present(\w+)$/.exec(named?.getText() ?? '');
  return match?.[1];
}

function includesUndefined(type) {
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => part.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void));
}

function isOfFaces(node) {
  return relative(root, node.getSourceFile().fileName).startsWith(FACES + sep);
}

function decoratorsOf(node) {
  return (ts.getDecorators(node) ?? []).map(({ expression }) => {
    const call = ts.isCallExpression(expression);
    return { name: (call ? expression.expression : expression).getText(), arguments: call ? expression.arguments : [] };
  });
}

function guardsOf(node) {
  return decoratorsOf(node)
    .filter(({ name }) => name === 'UseGuards')
    .flatMap((decorator) => decorator.arguments.map((guard) => guard.getText()));
}

function seeOf(symbol, checker) {
  const tag = symbol.getJsDocTags(checker).find(({ name }) => name === 'see');
  return tag ? ts.displayPartsToString(tag.text) : undefined;
}

main();
