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
const SETTLED_WITHIN_MS = 30_000;

/** Sends the same requests to the reference and to a Kiln, and holds the answers against each other. */
export class Lockstep {
  /** Ids that the services chose: those of the reference to those of the Kiln. */
  private readonly ids = new Map<string, string>();
  /** Images that both were asked to keep in their caches. Glance keeps others too, by itself. */
  private readonly cached = new Set<string>();

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
    await this.followCache(question, reference, kiln);
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
  settle(id: string): Promise<void> {
    return this.until(`/v2/images/${id}`, (image) => image?.status !== 'importing' && !image?.os_glance_import_task);
  }

  private async until(path: string, isSettled: (body: any) => boolean): Promise<void> {
    const question = { operation: 'settle', actor: 'root', method: 'GET', path, headers: {} } as const;
    const settled = async (side: Side): Promise<void> => {
      for (const deadline = Date.now() + SETTLED_WITHIN_MS; Date.now() < deadline; await delay(50)) {
        if (isSettled(asJson((await ask(side, question)).body))) return;
      }
      throw new Error(`${side.url} is not done with ${path}`);
    };
    await Promise.all([settled(this.reference), settled(this.kiln)]);
  }

  /** Notes what was asked for the caches, and gives both time to fetch it. */
  private async followCache({ method, path, headers }: Question, reference: Answer, kiln: Answer): Promise<void> {
    if (reference.status >= 300 || kiln.status >= 300) return;
    const id = /^\/v2\/(?:cache|images)\/([^/?]+)$/.exec(path)?.[1];
    if (method === 'DELETE' && id !== undefined) this.cached.delete(id);
    if (
      method === 'DELETE' &&
      path === '/v2/cache' &&
      headers['x-image-cache-clear-target']?.toLowerCase() !== 'queue'
    ) {
      this.cached.clear();
    }
    if (method !== 'PUT' || id === undefined || !path.startsWith('/v2/cache/')) return;
    this.cached.add(id);
    await this.until('/v2/cache', (body) => cachedIn(body).some((entry) => entry.image_id === id));
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
      if (Array.isArray(theirs.versions) && Array.isArray(ours.versions)) {
        // Kiln serves newer minors too, so another one is the current one.
        ours.versions = ours.versions.filter(({ id }: any) => theirs.versions.some((other: any) => other.id === id));
        for (const version of [...theirs.versions, ...ours.versions]) delete version.status;
      }
      for (const body of [theirs, ours]) if (body.cached_images) body.cached_images = this.asked(cachedIn(body));
      return compare('body', this.normal(theirs, 0), this.normal(ours, 1));
    }
    return compare('body', digest(reference.body), digest(kiln.body));
  }

  /** What of a cache is comparable: what both were asked to keep, but not when, and how often it was read from there. */
  private asked(entries: readonly CachedImage[]): object[] {
    return entries
      .filter((entry) => this.cached.has(entry.image_id))
      .sort((one, other) => (one.image_id < other.image_id ? -1 : 1))
      .map(({ image_id, size, ...others }) => ({ image_id, size, others: Object.keys(others).sort().join() }));
  }

  private normal(value: unknown, side: 0 | 1, key = ''): unknown {
    // In no order that anybody is told.
    if (typeof value === 'string' && key === 'user_id') return '<user>';
    if (typeof value === 'string' && key === 'request_id') return value.replace(UUID, '<id>');
    if (typeof value === 'string' && key === 'stores') return value.split(',').sort().join(',');
    if (typeof value === 'string') return this.normalText(value, side);
    if (Array.isArray(value)) {
      const list = value.map((entry) => this.normal(entry, side));
      // Glance asks its database for no order of them.
      if (key === 'resource_type_associations') {
        return list.sort((one: any, other: any) => (one.name < other.name ? -1 : 1));
      }
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

interface CachedImage {
  readonly image_id: string;
  readonly size: number;
}

function cachedIn(body: any): CachedImage[] {
  return Array.isArray(body?.cached_images) ? body.cached_images : [];
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
