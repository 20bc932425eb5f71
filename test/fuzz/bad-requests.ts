import type { Dice } from '../support/dice.js';
import type { RawRequest } from './raw-request.js';

/** A documented operation, with what is known of its requests. */
export interface Target {
  readonly face: string;
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly query: readonly string[];
  /** Of its body, by media type; undefined: it takes none. */
  readonly bodies?: Readonly<Record<string, Schema>>;
}

type Schema = Readonly<Record<string, any>>;

/** Who asks, by what must keep the request from changing anything. */
export interface Callers {
  /** May change things: only what cannot be right is sent for her. */
  readonly member: string;
  /** May change nothing: anything is sent. */
  readonly reader: string;
  readonly host: string;
  /** What stands for a parameter of a path, where it is known. */
  known(target: Target, parameter: string): string | undefined;
}

const UNKNOWN = '11111111-1111-4111-8111-111111111111';
const NUL = '\0';
const ODD_TEXTS = [
  ...[
    '',
    ' ',
    NUL,
    `a${NUL}b`,
    '\ud800',
    '\udfff\ud800',
    '\uffff',
    '\u202e',
    '😀'.repeat(300),
    'é'.repeat(256),
    'a'.repeat(70_000),
  ],
  ...['__proto__', 'constructor', 'toString', "'; DROP TABLE images; --", '%', '$1', '\\u0000', '../../etc/passwd'],
  ...[
    '-0',
    '1e400',
    'NaN',
    '9'.repeat(400),
    's3://',
    's3://ims/../../x',
    'file:///etc/passwd',
    'http://169.254.169.254/',
  ],
];
const ODD_VALUES: readonly unknown[] = [
  ...ODD_TEXTS,
  ...[null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, [], {}, [[]], [null], [{}], { a: {} }, { key: 1 }],
];
const ODD_SEGMENTS = [
  ...[
    '%00',
    '%',
    '%zz',
    '%ff',
    '%c0%80',
    '%f0%9f%92%a5',
    '..',
    '..%2f..%2fetc',
    '%2e%2e',
    ' ',
    '+',
    '*',
    ';a=b',
    '~',
    '_',
  ],
  ...[
    'null',
    'undefined',
    '-1',
    '0',
    '__proto__',
    'constructor',
    'a'.repeat(6_000),
    UNKNOWN,
    UNKNOWN.toUpperCase(),
    '{id}',
  ],
];
const ODD_TYPES = [
  ...[
    '',
    'text',
    'text/html',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
  ],
  ...[
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'a/b;'.repeat(500),
    '*/*',
    'application/\u00ff',
  ],
];
const ODD_METHODS = [
  'PROPFIND',
  'LOCK',
  'MKCOL',
  'REPORT',
  'SEARCH',
  'TRACE',
  'OPTIONS',
  'PURGE',
  'LINK',
  'GET',
  'PUT',
  'PATCH',
];
const ODD_HEADERS = [
  ...['Range: bytes=9-0', 'Range: bytes=a-', 'Range: bytes=0-0,2-3', `Range: bytes=${'9'.repeat(30)}-`, 'If-Match: *'],
  ...[
    'Content-Range: bytes x',
    'X-Image-Meta-Store: \u00e9',
    'X-Openstack-Image-Size: -1',
    'X-Openstack-Append: maybe',
  ],
  ...['OpenStack-API-Version: compute 9.9', 'OpenStack-API-Version: compute x', 'X-OpenStack-Nova-API-Version: 2.999'],
  ...[
    'X-Service-Token: nobody',
    'Accept: application/vnd.openstack.images-v9',
    'Accept: ;q=',
    'Cray-Tenant-Name: beta',
  ],
  ...[
    'X-Subject-Token: nobody',
    'X-Image-Cache-Clear-Target: moon',
    'Content-MD5: x',
    'Expect: something',
    'Host: a b',
  ],
  ...[
    `Cookie: ${'a'.repeat(15_000)}`,
    `X-Long: ${'b'.repeat(40_000)}`,
    'X-Openstack-Request-Id: \u00ff',
    'Content-Encoding: gzip',
  ],
  ...[
    'Authorization: Basic !!!',
    'Authorization: Bearer',
    'Authorization: AWS4-HMAC-SHA256 Credential=',
    'Upgrade: h2c',
  ],
];

/** Requests that no operation can take as they are, each by one fault or more. */
export class BadRequests {
  constructor(
    private readonly dice: Dice,
    private readonly targets: readonly Target[],
    private readonly callers: Callers,
  ) {}

  next(): RawRequest {
    const target = this.dice.pick(this.targets);
    return this.dice.weighted<() => RawRequest>([
      [22, () => this.brokenBody(target)],
      [22, () => this.wrongMember(target)],
      [14, () => this.oddPath(target)],
      [10, () => this.oddQuery(target)],
      [8, () => this.oddHeader(target)],
      [6, () => this.wrongMethod(target)],
      [6, () => this.noCredential(target)],
      [8, () => this.anythingByReader(target)],
      [4, () => this.brokenTransfer(target)],
    ])();
  }

  /** A body that is not of its type, whatever its members. */
  private brokenBody(target: Target): RawRequest {
    if (!takesJson(target)) return this.anythingByReader(target);
    const type = this.typeOf(target);
    const good = JSON.stringify(this.valueOf(this.schemaOf(target)));
    const body = this.dice.pick<() => string | Buffer>([
      () => good.slice(0, Math.max(1, this.dice.number(good.length))),
      () => `${good}}`,
      () => `'${good}`,
      () => Buffer.concat([Buffer.from('{"name": "'), this.dice.bytes(20), Buffer.from('\xff"}', 'latin1')]),
      () => '['.repeat(100_000),
      () => `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
      () => Buffer.from(good, 'utf16le'),
      () => this.dice.pick(['nul', '{', '"', '1e', '\ufeff', '{"a":1,}', "{'a':1}", '{"a":undefined}', '<xml/>', NUL]),
      () => JSON.stringify(this.dice.pick([0, 'text', true, null, 1.5])),
      () => `{"name": "${'x'.repeat(1_200_000)}"}`,
    ])();
    return this.request('a body that is none', target, { body, type });
  }

  /** A body with everything right but one member that must be there, or of another type. */
  private wrongMember(target: Target): RawRequest {
    if (!takesJson(target)) return this.anythingByReader(target);
    const schema = this.schemaOf(target);
    const good = this.valueOf(schema);
    const broken = this.breakRequired(schema, good);
    // Where everything may be left out, nothing is certainly wrong.
    const body = JSON.stringify(broken ?? this.shaken(good));
    return this.request('a member amiss', target, { body, type: this.typeOf(target), reader: broken === undefined });
  }

  private oddPath(target: Target): RawRequest {
    const odd = this.dice.pick(ODD_SEGMENTS);
    const hasParameter = target.path.includes('{');
    const path = hasParameter ? undefined : `${this.pathOf(target)}/${odd}`;
    return this.request('an odd path', target, {
      ...(path === undefined ? { firstParameter: odd } : { path }),
      ...this.someBody(target),
      // A name may be odd, if what it is in exists.
      reader: true,
    });
  }

  private oddQuery(target: Target): RawRequest {
    const names = [
      ...target.query,
      'limit',
      'marker',
      'sort',
      'sort_key',
      'x',
      '__proto__',
      'name',
      'page',
      'per_page',
    ];
    const odd = (): string => {
      const text = this.dice.pick([
        ...ODD_TEXTS.filter((one) => one.length < 5_000),
        'in:"a',
        'gt:',
        'eq:2031',
        'a,b,',
        '1&&&=&',
        '%',
        '%ff',
      ]);
      return this.dice.chance(60) ? encodeURIComponent(Buffer.from(text).toString()) : text.replace(/[^!-~]/g, '%00');
    };
    const pairs = Array.from(
      { length: 1 + this.dice.number(4) },
      () => `${this.dice.pick(names)}${this.dice.pick(['=', '=', '[]=', '[a]=', ''])}${odd()}`,
    );
    return this.request('an odd query', target, { query: pairs.join('&'), ...this.someBody(target), reader: true });
  }

  private oddHeader(target: Target): RawRequest {
    const headers = this.dice.some(ODD_HEADERS, 8);
    const type = this.dice.pick(ODD_TYPES);
    return this.request('an odd header', target, {
      headers,
      ...this.someBody(target),
      type,
      reader: true,
      answered: false,
    });
  }

  private wrongMethod(target: Target): RawRequest {
    const method = this.dice.pick(ODD_METHODS);
    const taken = this.targets.some((one) => one.method === method.toLowerCase() && one.path === target.path);
    return this.request('a wrong method', target, { method, ...this.someBody(target), reader: taken });
  }

  private noCredential(target: Target): RawRequest {
    const token = this.dice.pick(['', 'nobody', 'gAAAA'.repeat(60), '\u00e9', `${this.callers.member}x`]);
    return this.request('no credential', target, { token, ...this.someBody(target), broken: true });
  }

  private anythingByReader(target: Target): RawRequest {
    return this.request('what a reader may not', target, { ...this.someBody(target), reader: true });
  }

  /** Below the level of any face. */
  private brokenTransfer(target: Target): RawRequest {
    // Some are read all the same, and what takes no body has nothing else that is wrong.
    const token = takesJson(target) ? this.callers.member : this.callers.reader;
    const head = (length: string): string =>
      `${this.head(target.method.toUpperCase(), this.pathOf(target, UNKNOWN), token, this.typeOf(target))}${length}\r\n\r\n`;
    const text = this.dice.pick<string>([
      `${head('Content-Length: 100')}{"a"`,
      `${head('Content-Length: -1')}{}`,
      `${head('Content-Length: 2\r\nContent-Length: 3')}{}`,
      `${head('Transfer-Encoding: chunked\r\nContent-Length: 2')}{}`,
      `${head('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`,
      `${head('Transfer-Encoding: chunked')}5\r\n{"a"`,
      `${head('Transfer-Encoding: chunked')}ffffffffffffffffff\r\n{}`,
      `${head('Transfer-Encoding: chunked')}1\r\n{\r\n1;x="\r\n}\r\n0\r\nTrailer: x\r\n\r\n`,
      `${head('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
      `${head('Transfer-Encoding: nothing')}{}`,
      `${target.method.toUpperCase()} ${this.pathOf(target, UNKNOWN)} HTTP/9.9\r\n\r\n`,
      `${target.method.toUpperCase()} http://elsewhere${this.pathOf(target, UNKNOWN)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      `${head(`X: ${NUL}`)}{}`,
      `${head('No colon')}{}`,
      `GET ${target.path.slice(0, 5)}${'/a'.repeat(30_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    ]);
    return { what: `a broken transfer: ${text.slice(0, 300)}`, bytes: Buffer.from(text, 'latin1'), answered: false };
  }

  private request(
    fault: string,
    target: Target,
    how: {
      method?: string;
      path?: string;
      firstParameter?: string;
      query?: string;
      headers?: readonly string[];
      token?: string;
      type?: string;
      body?: string | Buffer;
      reader?: boolean;
      broken?: boolean;
      answered?: boolean;
    },
  ): RawRequest {
    const method = (how.method ?? target.method).toUpperCase();
    const path = how.path ?? this.pathOf(target, how.firstParameter);
    const token = how.token ?? (how.reader ? this.callers.reader : this.callers.member);
    const body = how.body === undefined ? undefined : Buffer.from(how.body as string);
    const head = this.head(
      method,
      how.query === undefined ? path : `${path}?${how.query}`,
      token,
      body && how.type,
      how.headers,
    );
    const length = body === undefined ? '' : `Content-Length: ${body.length}`;
    const bytes = Buffer.concat([
      Buffer.from(`${head}${length}${length ? '\r\n' : ''}\r\n`, 'latin1'),
      body ?? Buffer.alloc(0),
    ]);
    const who = how.token !== undefined ? 'nobody' : how.reader ? 'reader' : 'member';
    const shown = bytes.length > 1_500 ? `${bytes.subarray(0, 1_500).toString('latin1')}…` : bytes.toString('latin1');
    return {
      what: `${target.face}, ${fault}, ${who}: ${shown.replace(token || '-', '<token>')}`,
      bytes,
      answered: how.answered ?? true,
    };
  }

  private head(method: string, path: string, token: string, type?: string, more: readonly string[] = []): string {
    // A blank would end the target, and what a face makes of such bytes is for other faults to ask.
    const target = path.replace(/[^!-~]/g, '%20');
    const lines = [
      `${method} ${target} HTTP/1.1`,
      `Host: ${this.callers.host}`,
      'Connection: close',
      ...(token === '' ? [] : [`X-Auth-Token: ${token}`]),
      ...(type === undefined ? [] : [`Content-Type: ${type}`]),
      ...more,
    ];
    return `${lines.join('\r\n')}\r\n`;
  }

  private pathOf(target: Target, first?: string): string {
    let count = 0;
    return target.path.replace(/\{(\w+)\}/g, (_, name: string) => {
      count += 1;
      if (count === 1 && first !== undefined) return first;
      const known = this.callers.known(target, name);
      return known !== undefined && this.dice.chance(85) ? known : this.dice.pick([UNKNOWN, 'unknown']);
    });
  }

  private someBody(target: Target): { body?: string; type?: string } {
    if (target.method === 'get' || target.method === 'head' || this.dice.chance(30)) return {};
    const good = this.valueOf(this.schemaOf(target));
    return { body: JSON.stringify(this.dice.chance(50) ? good : this.shaken(good)), type: this.typeOf(target) };
  }

  private typeOf({ bodies }: Target): string {
    const type = Object.keys(bodies ?? {})[0] ?? 'application/json';
    return type === '*/*' ? 'application/octet-stream' : type;
  }

  private schemaOf({ bodies }: Target): Schema {
    return Object.values(bodies ?? {})[0] ?? { type: 'object' };
  }

  /** Something that fits a schema. */
  private valueOf(schema: Schema): any {
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) return this.dice.pick(schema.enum as unknown[]);
    if (Array.isArray(schema.anyOf)) return this.valueOf(this.dice.pick(schema.anyOf as Schema[]));
    switch ([schema.type].flat()[0]) {
      case 'object': {
        const required = (schema.required ?? []) as string[];
        const named = Object.entries((schema.properties ?? {}) as Record<string, Schema>).filter(
          ([name]) => required.includes(name) || this.dice.chance(40),
        );
        return Object.fromEntries(named.map(([name, member]) => [name, this.valueOf(member)]));
      }
      case 'array':
        return Array.from({ length: Math.max(schema.minItems ?? 0, this.dice.number(3)) }, () =>
          this.valueOf(schema.items ?? {}),
        );
      case 'integer':
      case 'number':
        return this.dice.number(10);
      case 'boolean':
        return this.dice.chance(50);
      case 'null':
        return null;
      default:
        return this.dice.pick([
          'name',
          'value',
          UNKNOWN,
          's3://ims/a.tar.gz',
          'raw',
          'a'.repeat(Math.max(1, Math.min(schema.minLength ?? 1, 100))),
        ]);
    }
  }

  /** A value without a member that must be there, or with one of a type that it cannot have; undefined: none must. */
  private breakRequired(schema: Schema, value: any): unknown {
    if (schema.type !== 'object') return undefined;
    const required = ((schema.required ?? []) as string[]).filter((name) => schema.properties?.[name] !== undefined);
    if (required.length === 0) return undefined;
    const name = this.dice.pick(required);
    const member = schema.properties[name] as Schema;
    const deeper = this.dice.chance(60) ? this.breakRequired(member, value[name]) : undefined;
    if (deeper !== undefined) return { ...value, [name]: deeper };
    const { [name]: _, ...without } = value as Record<string, unknown>;
    if (this.dice.chance(30)) return without;
    return { ...value, [name]: this.dice.pick(ODD_VALUES.filter((odd) => !isOfType(odd, member))) };
  }

  /** With odd values anywhere, which may happen to be good ones. */
  private shaken(value: any): unknown {
    if (Array.isArray(value))
      return this.dice.chance(30) ? this.dice.pick(ODD_VALUES) : value.map((one) => this.shaken(one));
    if (typeof value !== 'object' || value === null) return this.dice.chance(50) ? this.dice.pick(ODD_VALUES) : value;
    const members = Object.entries(value).map(([name, member]) => [name, this.shaken(member)]);
    const more = this.dice.chance(30) ? [[this.dice.pick(ODD_TEXTS), this.dice.pick(ODD_VALUES)]] : [];
    return Object.fromEntries([...members, ...more]);
  }
}

/** What takes no body, or takes any bytes, has none that is wrong. */
function takesJson({ bodies }: Target): boolean {
  return Object.keys(bodies ?? {}).some((type) => type.includes('json'));
}

/** Whether a value could be meant where the schema stands, as far as types go. */
function isOfType(value: unknown, schema: Schema): boolean {
  const types = [schema.type, ...((schema.anyOf ?? []) as Schema[]).flatMap((one) => one.type as unknown)].flat();
  if (schema.const !== undefined) return value === schema.const;
  if (Array.isArray(schema.enum)) return (schema.enum as unknown[]).includes(value);
  if (types.every((type) => type === undefined)) return true;
  const own = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return types.some(
    (type) => type === own || (type === 'integer' && own === 'number') || (type === 'integer' && own === 'string'),
  );
}
