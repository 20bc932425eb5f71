import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { RunningKiln } from './kiln.js';

/** A request and what came back. */
export interface Exchange {
  readonly method: string;
  /** With the query, as it was sent. */
  readonly path: string;
  /** As the client has it; what is not sent as JSON is left out. */
  readonly sent?: unknown;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Operation {
  readonly pattern: RegExp;
  readonly method: string;
  readonly requestBody?: { content: Record<string, unknown> };
  readonly responses: Readonly<Record<string, { content?: Record<string, unknown>; pointer: string }>>;
  /** Where it stands in its document. */
  readonly pointer: string;
  readonly parameters: number;
}

/** Other spellings of paths, each with the one that is documented; faces rewrite them before they look. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/^\/image\/v2\.\d+(?=\/|$)/, '/image/v2'],
  [/^\/compute\/v2(?:\.1)?(?:\/[0-9a-f-]{32,36})?(?=\/.)/, '/compute/v2.1'],
  [/^(\/identity.*?)\/+$/, '$1'],
  [/^(?:\/foreman)?\/api(?:\/v2)?(?=\/|$)/, '/foreman/api'],
  [/^\/apidoc(?=\/)/, '/foreman/apidoc'],
  [/^(\/foreman.*?)\/$/, '$1'],
];

const documented = new Map<string, Promise<Documents | null>>();

/** Holds an exchange against the documents of the Kiln it was had with. @throws Error naming what does not fit */
export async function checkDocumented(kiln: Pick<RunningKiln, 'url'>, exchange: Exchange): Promise<void> {
  const documents = documented.get(kiln.url) ?? Documents.of(kiln);
  documented.set(kiln.url, documents);
  (await documents)?.check(exchange);
}

class Documents {
  private readonly ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  private readonly operations: Operation[] = [];

  /** Null: an application of which only the faces run has none. */
  static async of({ url }: Pick<RunningKiln, 'url'>): Promise<Documents | null> {
    const page = await fetch(`${url}/docs`);
    if (page.status === 404) return null;
    const documents = new Documents();
    for (const [, path] of (await page.text()).matchAll(/href="(\/docs\/openapi\/[^"]+)"/g)) {
      documents.add(path!, await (await fetch(url + path)).json());
    }
    return documents;
  }

  private add(id: string, document: any): void {
    this.ajv.addSchema(document, id);
    for (const [path, methods] of Object.entries<any>(document.paths)) {
      const pattern = path
        .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
        .replace(/\{key\}$/, '.*')
        .replace(/\{\w+\}/g, '[^/]*');
      for (const [method, { requestBody, responses }] of Object.entries<any>(methods)) {
        this.operations.push({
          pattern: new RegExp(`^${pattern}$`),
          method,
          requestBody,
          responses: Object.fromEntries(
            Object.entries<any>(responses).map(([status, one]) => [
              status,
              one.$ref
                ? {
                    content: document.components.responses[status].content,
                    pointer: `${id}#/components/responses/${status}`,
                  }
                : { content: one.content, pointer: `${id}#/paths/${escaped(path)}/${method}/responses/${status}` },
            ]),
          ),
          pointer: `${id}#/paths/${escaped(path)}/${method}`,
          parameters: path.split('{').length,
        });
      }
    }
    // What is spelt out goes before what a parameter stands for.
    this.operations.sort((one, other) => one.parameters - other.parameters);
  }

  check({ method, path, sent, status, headers, text }: Exchange): void {
    const [asked = ''] = path.split('?');
    const plain = SPELLINGS.reduce((spelt, [pattern, by]) => spelt.replace(pattern, by), asked);
    const operation = this.operations.find((one) => one.method === method.toLowerCase() && one.pattern.test(plain));
    const fail = (what: string): never => {
      throw new Error(`${method} ${path} answered ${status}, ${what}: ${text.slice(0, 2_000)}`);
    };
    // Other spellings of routes; that each route is documented is tried where the documents are.
    if (!operation) return;
    const response = operation.responses[status];
    // Any path below a version that is not there is answered with the versions that are.
    if (!response) return status === 300 ? undefined : fail('which is not documented');
    const told = this.form(response, headers.get('content-type'));
    if (text !== '' && method !== 'HEAD') {
      if (!told) return fail(`with the undocumented type ${headers.get('content-type')}`);
      const fault = told === 'bytes' ? null : faultOf(told, JSON.parse(text));
      if (fault !== null) fail(`and its body does not fit: ${fault}`);
    }
    // What was refused need not fit.
    if (status >= 300 || sent === undefined) return;
    const type = Object.keys(operation.requestBody?.content ?? {}).find((one) => one.includes('json'));
    if (type === undefined) return;
    const taken = this.schema(`${operation.pointer}/requestBody/content/${escaped(type)}/schema`);
    // Members that are undefined are not sent.
    const fault = faultOf(taken, JSON.parse(JSON.stringify(sent)));
    if (fault !== null) fail(`although ${JSON.stringify(sent).slice(0, 500)} does not fit: ${fault}`);
  }

  /** How the body of that type is; undefined: the document does not say. */
  private form({ content = {}, pointer }: Operation['responses'][string], header: string | null) {
    const type = header?.split(';')[0]!.trim().toLowerCase() ?? '';
    const known = [type, `${type.split('/')[0]}/*`, '*/*'].find((one) => Object.hasOwn(content, one));
    if (known === undefined) return undefined;
    if (!type.includes('json') || known !== type) return 'bytes' as const;
    return this.schema(`${pointer}/content/${escaped(known)}/schema`);
  }

  private schema(pointer: string): ValidateFunction {
    const found = this.ajv.getSchema(pointer);
    if (!found) throw new Error(`There is no schema at ${pointer}`);
    return found as ValidateFunction;
  }
}

function faultOf(validate: ValidateFunction, value: unknown): string | null {
  if (validate(value)) return null;
  return (validate.errors ?? [])
    .map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
    .join('; ')
    .slice(0, 1_000);
}

/** A part of a JSON pointer, in an address. */
function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
