import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, ask, type Question, type Side } from './wire.js';

/** One thing that the two answered differently. */
export interface Difference {
  readonly question: Question;
  /** `status`, `header x` or `body.images[0].name`. */
  readonly at: string;
  readonly reference: unknown;
  readonly kiln: unknown;
  readonly referenceStatus: number;
  readonly kilnStatus: number;
}

/** Headers that clients read. */
const HEADERS = [
  ...['content-type', 'content-length', 'content-md5', 'content-range', 'location', 'allow', 'accept-patch'],
  ...['openstack-image-import-methods', 'openstack-image-store-ids', 'www-authenticate', 'x-openstack-request-id'],
];
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(?=Z|$|\+)/g;
const IMPORT_WITHIN_MS = 30_000;

/** Sends the same requests to the reference and to a Kiln, and holds the answers against each other. */
export class Lockstep {
  /** Ids that the services chose: those of the reference to those of the Kiln. */
  private readonly ids = new Map<string, string>();

  constructor(
    readonly reference: Side,
    readonly kiln: Side,
  ) {}

  async ask(question: Question): Promise<{ reference: Answer; kiln: Answer; differences: Difference[] }> {
    const [reference, kiln] = await Promise.all([
      ask(this.reference, question),
      ask(this.kiln, { ...question, path: this.translate(question.path) }),
    ]);
    this.learn(question, asJson(reference.body), asJson(kiln.body));
    const found: [at: string, reference: unknown, kiln: unknown][] = [];
    if (reference.status !== kiln.status) found.push(['status', reference.status, kiln.status]);
    else {
      for (const name of HEADERS) {
        // The length of a document says nothing, and where there is no content it has neither length nor type.
        if (name === 'content-length' && (reference.status >= 300 || isJson(reference))) continue;
        if (name.startsWith('content-') && [202, 204, 302].includes(reference.status)) continue;
        const [theirs, ours] = [this.header(reference, name, 0), this.header(kiln, name, 1)];
        if (theirs !== ours) found.push([`header ${name}`, theirs, ours]);
      }
      found.push(...this.compareBodies(reference, kiln));
    }
    const differences = found.map(([at, theirs, ours]) => ({
      question,
      at,
      reference: theirs,
      kiln: ours,
      referenceStatus: reference.status,
      kilnStatus: kiln.status,
    }));
    return { reference, kiln, differences };
  }

  /** Waits until neither service is still importing an image. */
  async settle(id: string): Promise<void> {
    const idle = async (side: Side): Promise<void> => {
      const question = {
        operation: 'settle',
        actor: 'root',
        method: 'GET',
        path: `/v2/images/${id}`,
        headers: {},
      } as const;
      for (const deadline = Date.now() + IMPORT_WITHIN_MS; Date.now() < deadline; await delay(100)) {
        const image = asJson((await ask(side, question)).body);
        if (image?.status !== 'importing' && !image?.os_glance_import_task) return;
      }
      throw new Error(`${side.url} is still importing ${id}`);
    };
    await Promise.all([idle(this.reference), idle(this.kiln)]);
  }

  private translate(text: string): string {
    return text.replaceAll(UUID, (id) => this.ids.get(id) ?? id);
  }

  /** Ids that a service chose: of tasks, and of images that were created without one. */
  private learn(question: Question, reference: any, kiln: any): void {
    if (question.operation === 'create an image without id') this.pair(reference?.id, kiln?.id);
    const [theirs, ours] = [tasksOf(reference), tasksOf(kiln)];
    if (theirs.length === ours.length) theirs.forEach((task, at) => this.pair(task.id, ours[at]?.id));
    this.pair(reference?.os_glance_import_task, kiln?.os_glance_import_task);
  }

  private pair(reference: unknown, kiln: unknown): void {
    if (typeof reference === 'string' && typeof kiln === 'string') this.ids.set(reference, kiln);
  }

  private header(answer: Answer, name: string, side: 0 | 1): string | undefined {
    const value = answer.headers[name]?.toString();
    if (value === undefined) return undefined;
    if (name === 'x-openstack-request-id') return value.replace(UUID, '<id>');
    if (name === 'www-authenticate') return value.replace(/uri="[^"]*"/, 'uri="<identity>"');
    if (name === 'allow' || name === 'openstack-image-import-methods') return value.split(/,\s*/).sort().join(', ');
    if (name === 'content-type') return mediaType(value);
    return this.normalText(value, side);
  }

  private normalText(text: string, side: 0 | 1): string {
    const { url } = side === 0 ? this.reference : this.kiln;
    const plain = text.replaceAll(url.replace(/\/$/, ''), '<base>').replaceAll(TIME, '<time>');
    if (side === 1) return plain;
    return plain.replaceAll(UUID, (id) => this.ids.get(id) ?? id);
  }

  private compareBodies(reference: Answer, kiln: Answer): [string, unknown, unknown][] {
    const [theirs, ours] = [asJson(reference.body), asJson(kiln.body)];
    if (reference.status >= 400) {
      // The words of an error are each service's own.
      return compare('body', theirs && Object.keys(theirs).sort().join(), ours && Object.keys(ours).sort().join());
    }
    if (theirs !== undefined && ours !== undefined && isJson(reference)) {
      return compare('body', this.normal(theirs, 0), this.normal(ours, 1));
    }
    return compare('body', digest(reference.body), digest(kiln.body));
  }

  private normal(value: unknown, side: 0 | 1, key = ''): unknown {
    if (typeof value === 'string') return this.normalText(value, side);
    if (Array.isArray(value)) {
      const list = value.map((entry) => this.normal(entry, side));
      // Sets.
      return ['tags', 'stores', 'queued_images', 'enum', 'required', 'value'].includes(key) &&
        list.every((entry) => typeof entry === 'string')
        ? list.sort()
        : list;
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        // What a schema says to people is each service's own.
        .filter(([name, entry]) => !(name === 'description' && 'type' in value && typeof entry === 'string'))
        .map(([name, entry]) => [name, this.normal(entry, side, name)]),
    );
  }
}

function tasksOf(body: any): { readonly id: string }[] {
  if (Array.isArray(body?.tasks)) return body.tasks;
  return body?.schema === '/v2/schemas/task' ? [body] : [];
}

function compare(at: string, reference: unknown, kiln: unknown): [string, unknown, unknown][] {
  if (typeof reference !== 'object' || typeof kiln !== 'object' || !reference || !kiln) {
    return reference === kiln ? [] : [[at, reference, kiln]];
  }
  if (Array.isArray(reference) && Array.isArray(kiln) && reference.length !== kiln.length) {
    return [[`${at}.length`, reference.length, kiln.length]];
  }
  const names = new Set([...Object.keys(reference), ...Object.keys(kiln)]);
  return [...names].flatMap((name) =>
    compare(
      Array.isArray(reference) ? `${at}[]` : `${at}.${name}`,
      (reference as Record<string, unknown>)[name],
      (kiln as Record<string, unknown>)[name],
    ),
  );
}

/** JSON has no other charset than the one that may be named. */
function mediaType(value: string): string {
  return value.toLowerCase().replace(/;\s*/, '; ').replace('application/json; charset=utf-8', 'application/json');
}

const isJson = (answer: Answer): boolean => (answer.headers['content-type'] ?? '').startsWith('application/json');
const digest = (body: Buffer): string => `${body.length} bytes, md5 ${createHash('md5').update(body).digest('hex')}`;

export function asJson(body: Buffer): any {
  try {
    return JSON.parse(body.toString()) ?? undefined;
  } catch {
    return undefined;
  }
}
