import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An object of the cluster, as JSON has it. */
export interface Thing {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    finalizers?: string[];
    ownerReferences?: { uid: string; kind: string; name: string }[];
    [member: string]: unknown;
  };
  // What lies below differs by kind, and a stand-in that reads it hardly gains by types.
  [member: string]: any;
}

export const RESOURCES: Readonly<Record<string, readonly [api: string, kind: string]>> = {
  pods: ['v1', 'Pod'],
  configmaps: ['v1', 'ConfigMap'],
  secrets: ['v1', 'Secret'],
  services: ['v1', 'Service'],
  persistentvolumeclaims: ['v1', 'PersistentVolumeClaim'],
  events: ['v1', 'Event'],
  jobs: ['batch/v1', 'Job'],
};

interface Watcher {
  readonly plural: string;
  readonly namespace: string;
  readonly matches: (thing: Thing) => boolean;
  readonly reply: ServerResponse;
}

interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly plural: string;
  readonly thing: Thing;
}

/** How a fault answers. */
export interface Fault {
  readonly status: number;
  /** Of its `Status`, in one word. */
  readonly reason?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Done all the same: only the answer is lost. */
  readonly afterwards?: boolean;
  /** Which requests it meets; default: all. */
  readonly method?: string;
}

/**
 * An API server of Kubernetes in this process, as far as a builder can tell: objects with versions, lists in pages,
 * watches with bookmarks that end and grow too old, deletion with owners, logs that are followed. A job controller makes
 * pods; where a pod asks for no node of its own kind, its first container runs as a process of this machine.
 */
export class KubernetesApi {
  private readonly server = createServer((request, reply) => void this.answer(request, reply));
  private readonly things = new Map<string, Thing>();
  private readonly watchers = new Set<Watcher>();
  private readonly processes = new Map<string, Running>();
  private readonly faults: Fault[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'kiln-kubernetes-'));
  private history: Change[] = [];
  private oldest = 0;
  private version = 1;
  /** Every request that came, `GET /path`. */
  readonly asked: string[] = [];
  kubeconfig = '';

  static async start(namespace: string): Promise<KubernetesApi> {
    const api = new KubernetesApi();
    api.server.listen(0, '127.0.0.1');
    await once(api.server, 'listening');
    api.kubeconfig = join(api.folder, 'kubeconfig');
    const address = `http://127.0.0.1:${(api.server.address() as AddressInfo).port}`;
    writeFileSync(
      api.kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [{ name: 'test', cluster: { server: address, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'test', user: { exec: api.credentialProgram() } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
      }),
    );
    return api;
  }

  /** Whether the program that tells credentials fails. */
  withholdCredentials(withheld: boolean): void {
    if (withheld) writeFileSync(join(this.folder, 'withheld'), '');
    else rmSync(join(this.folder, 'withheld'));
  }

  /** How often it failed so far. */
  get credentialsWithheld(): number {
    return read(join(this.folder, 'refusals'))?.length ?? 0;
  }

  /** As the clusters of many providers have one. What it tells is outdated, so that it is asked each time. */
  private credentialProgram(): object {
    const status = { token: 'a-token', expirationTimestamp: '2020-01-01T00:00:00Z' };
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status };
    return {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: [
        '-c',
        `cd "$0" && if [ -e withheld ]; then printf x >> refusals; echo no credential >&2; exit 1; fi; echo '${JSON.stringify(credential)}'`,
        this.folder,
      ],
    };
  }

  async close(): Promise<void> {
    for (const running of this.processes.values()) running.child.kill('SIGKILL');
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The next requests meet these, in this order. */
  failNext(...faults: Fault[]): void {
    this.faults.push(...faults);
  }

  /** Every watch ends, as it does when a server restarts. */
  cutWatches(): void {
    for (const { reply } of this.watchers) reply.destroy();
  }

  /** Every watch ends in good order, as each does after some minutes. */
  endWatches(): void {
    for (const { reply } of this.watchers) reply.end();
  }

  /** Forgets old versions: whoever watches from one of them hears 410. */
  compact(): void {
    this.history = [];
    this.oldest = this.version;
  }

  /** What the watchers of a kind know by now, without anything having changed. */
  bookmark(): void {
    for (const { plural, reply } of this.watchers) {
      const [apiVersion, kind] = RESOURCES[plural]!;
      const object = { apiVersion, kind, metadata: { resourceVersion: String(this.version) } };
      reply.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }
  }

  get watching(): number {
    return this.watchers.size;
  }

  private async answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const address = new URL(request.url!, 'http://stand-in');
    this.asked.push(`${request.method} ${address.pathname}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? {} : JSON.parse(text);
    const at = this.faults.findIndex(({ method }) => method === undefined || method === request.method);
    const fault = at < 0 || address.searchParams.has('watch') ? undefined : this.faults.splice(at, 1)[0];
    const fail = ({ status: code, reason, headers }: Fault): void =>
      send(reply, code, status(code, 'a fault of the test', reason), headers);
    if (fault && !fault.afterwards) return fail(fault);
    try {
      this.route(request.method!, address, body, fault ? new ServerResponseSink(reply) : reply, reply);
      if (fault) fail(fault);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      send(reply, error.code, status(error.code, error.message, error.reason));
    }
  }

  private route(method: string, address: URL, body: unknown, reply: Reply, raw: ServerResponse): void {
    const [, core, group, rest] = /^\/(?:api\/(v1)|apis\/(batch\/v1))(?:\/(.*))?$/.exec(address.pathname) ?? [];
    const api = core ?? group;
    if (api === undefined) throw new ApiError(404, 'no such path');
    if (rest === undefined || rest === '') return send(reply, 200, discovery(api));
    const [, namespace, plural, name, below] =
      /^namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(rest) ?? [];
    if (namespace === undefined || RESOURCES[plural!]?.[0] !== api) throw new ApiError(404, 'no such resource');
    const query = address.searchParams;
    if (name === undefined) {
      if (method === 'POST') return send(reply, 201, this.create(namespace, plural!, body as Thing));
      if (query.get('watch') === 'true') return this.watch(namespace, plural!, query, raw);
      return send(reply, 200, this.list(namespace, plural!, query));
    }
    if (below === 'log') return this.log(name, query, raw);
    if (method === 'GET') return send(reply, 200, this.get(plural!, name));
    if (method === 'PATCH') return send(reply, 200, this.patch(plural!, name, body as Partial<Thing>));
    if (method === 'DELETE') return send(reply, 200, this.remove(plural!, name, body as DeleteOptions, query));
    throw new ApiError(405, 'no such method');
  }

  private create(namespace: string, plural: string, wanted: Thing): Thing {
    const [apiVersion, kind] = RESOURCES[plural]!;
    if (this.things.has(`${plural}/${wanted.metadata.name}`)) {
      throw new ApiError(409, `${plural} "${wanted.metadata.name}" already exists`, 'AlreadyExists');
    }
    const thing = structuredClone(wanted);
    Object.assign(thing, { apiVersion, kind });
    Object.assign(thing.metadata, { namespace, uid: randomUUID(), creationTimestamp: now() });
    if (plural === 'secrets') {
      thing.data = Object.fromEntries(
        Object.entries((thing.stringData ?? {}) as Record<string, string>).map(([key, text]) => [
          key,
          Buffer.from(text).toString('base64'),
        ]),
      );
      delete thing.stringData;
    }
    if (plural === 'services' && thing.spec.type === 'NodePort') thing.spec.ports[0].nodePort = 30_022;
    if (plural === 'pods') thing.status = { phase: 'Pending' };
    this.keep('ADDED', plural, thing);
    if (plural === 'jobs') this.makePod(thing);
    return thing;
  }

  private get(plural: string, name: string): Thing {
    const thing = this.things.get(`${plural}/${name}`);
    if (!thing) throw new ApiError(404, `${plural} "${name}" not found`);
    return thing;
  }

  private list(namespace: string, plural: string, query: URLSearchParams): object {
    const matches = selector(query);
    const all = [...this.things.entries()]
      .filter(
        ([key, thing]) => key.startsWith(`${plural}/`) && thing.metadata.namespace === namespace && matches(thing),
      )
      .map(([, thing]) => thing)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? all.length) || all.length;
    const [apiVersion, kind] = RESOURCES[plural]!;
    const more = from + limit < all.length ? String(from + limit) : undefined;
    return {
      apiVersion,
      kind: `${kind}List`,
      metadata: { resourceVersion: String(this.version), continue: more },
      items: all.slice(from, from + limit),
    };
  }

  private patch(plural: string, name: string, change: Partial<Thing>): Thing {
    const thing = this.get(plural, name);
    const merged = mergeInto(structuredClone(thing), change) as Thing;
    merged.metadata.uid = thing.metadata.uid;
    this.keep('MODIFIED', plural, merged);
    if (plural === 'pods') this.control(merged);
    if (merged.metadata.deletionTimestamp !== undefined && !merged.metadata.finalizers) this.begone(plural, merged);
    return merged;
  }

  private remove(plural: string, name: string, options: DeleteOptions, query: URLSearchParams): object {
    const thing = this.get(plural, name);
    if (options.preconditions?.uid !== undefined && options.preconditions.uid !== thing.metadata.uid) {
      throw new ApiError(409, 'the UID in the precondition is another');
    }
    // As the real one: a body hides the query, and a Job that is deleted without a policy leaves its pods behind.
    const policy = Object.keys(options).length > 0 ? options.propagationPolicy : query.get('propagationPolicy');
    if (policy === 'Orphan' || (!policy && plural === 'jobs')) this.orphan(thing);
    this.begone(plural, thing);
    return thing;
  }

  private orphan({ metadata: { uid } }: Thing): void {
    for (const [key, { metadata }] of [...this.things]) {
      if (!metadata.ownerReferences?.some((owner) => owner.uid === uid)) continue;
      const ownerReferences = metadata.ownerReferences.filter((owner) => owner.uid !== uid);
      this.patch(key.split('/')[0]!, metadata.name, { metadata: { ownerReferences } } as unknown as Partial<Thing>);
    }
  }

  /** A pod that runs here ends first, as long as its grace period lets it; all else goes at once, with what it owns. */
  private begone(plural: string, thing: Thing): void {
    const { name, uid } = thing.metadata;
    const running = plural === 'pods' ? this.processes.get(name) : undefined;
    if (running && running.child.exitCode === null && running.child.signalCode === null) {
      if (thing.metadata.deletionTimestamp !== undefined) return;
      thing.metadata.deletionTimestamp = now();
      this.keep('MODIFIED', plural, thing);
      running.child.kill('SIGTERM');
      running.grace = setTimeout(() => running.child.kill('SIGKILL'), 1_000);
      return;
    }
    if (thing.metadata.finalizers?.length) {
      if (thing.metadata.deletionTimestamp !== undefined) return;
      thing.metadata.deletionTimestamp = now();
      return this.keep('MODIFIED', plural, thing);
    }
    this.things.delete(`${plural}/${name}`);
    this.keep('DELETED', plural, thing);
    // Without another try a Job has failed with its pod.
    if (plural === 'pods') this.control({ ...thing, status: { phase: 'Failed' } });
    for (const [key, other] of [...this.things]) {
      if (other.metadata.ownerReferences?.some((owner) => owner.uid === uid)) this.begone(key.split('/')[0]!, other);
    }
  }

  private keep(type: Change['type'], plural: string, changed: Thing): void {
    const thing = structuredClone(changed);
    thing.metadata.resourceVersion = String((this.version += 1));
    if (type !== 'DELETED') this.things.set(`${plural}/${thing.metadata.name}`, thing);
    changed.metadata.resourceVersion = thing.metadata.resourceVersion;
    const change = { version: this.version, type, plural, thing };
    this.history.push(change);
    for (const watcher of this.watchers) tell(watcher, change);
  }

  private watch(namespace: string, plural: string, query: URLSearchParams, reply: ServerResponse): void {
    const from = Number(query.get('resourceVersion') || this.version);
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.flushHeaders();
    if (from < this.oldest) {
      reply.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'too old resource version') })}\n`);
      return;
    }
    const watcher = { plural, namespace, matches: selector(query), reply };
    for (const change of this.history) if (change.version > from) tell(watcher, change);
    this.watchers.add(watcher);
    // The request's own `close` comes as soon as its body is read.
    reply.on('close', () => this.watchers.delete(watcher));
  }

  // --- controllers and a kubelet of sorts ---

  private makePod(job: Thing): void {
    const { template } = job.spec;
    const { name, namespace, uid } = job.metadata;
    const pod = this.create(namespace, 'pods', {
      ...structuredClone(template),
      metadata: {
        ...structuredClone(template.metadata),
        name: `${name}-${randomUUID().slice(0, 5)}`,
        labels: { ...template.metadata.labels, 'job-name': name },
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }],
      },
    } as Thing);
    if (template.spec.nodeSelector === undefined) this.runPod(pod);
    else this.patch('pods', pod.metadata.name, { status: UNSCHEDULABLE });
  }

  private runPod(pod: Thing): void {
    const folder = mkdtempSync(join(this.folder, 'pod-'));
    const container = pod.spec.containers[0];
    const termination = join(folder, 'termination-log');
    const command = (container.command as string[]).map((word) => this.inFolder(word, pod, folder));
    const child = spawn(command[0]!, command.slice(1), {
      cwd: folder,
      env: { PATH: process.env.PATH, TERMINATION: termination },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const running: Running = { child, lines: [], readers: new Set(), ended: false };
    this.processes.set(pod.metadata.name, running);
    const image = container.image as string;
    const of = (state: object) => ({
      containerStatuses: [{ name: container.name, image, state }],
      hostIP: '127.0.0.1',
    });
    this.patch('pods', pod.metadata.name, { status: { phase: 'Running', ...of({ running: { startedAt: now() } }) } });
    for (const stream of [child.stdout, child.stderr]) {
      let open = '';
      stream.on('data', (chunk: Buffer) => {
        const lines = (open + chunk.toString()).split('\n');
        open = lines.pop()!;
        for (const line of lines) writeLine(running, line);
      });
    }
    child.once('close', (code, signal) => {
      clearTimeout(running.grace);
      running.ended = true;
      for (const reader of running.readers) reader.end();
      const exitCode = code ?? (signal === 'SIGTERM' ? 143 : 137);
      const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', message: read(termination) };
      const present = this.things.get(`pods/${pod.metadata.name}`);
      if (!present) return;
      this.patch('pods', pod.metadata.name, {
        status: { phase: exitCode === 0 ? 'Succeeded' : 'Failed', ...of({ terminated }) },
      });
      const last = this.things.get(`pods/${pod.metadata.name}`);
      if (last?.metadata.deletionTimestamp !== undefined) this.begone('pods', last);
    });
  }

  /** Paths of the pod's Secret become files of this machine. */
  private inFolder(word: string, pod: Thing, folder: string): string {
    const mount = pod.spec.containers[0].volumeMounts.find(({ mountPath }: { mountPath: string }) =>
      word.startsWith(`${mountPath}/`),
    );
    const volume = pod.spec.volumes.find(({ name }: { name: string }) => name === mount?.name);
    if (!volume?.secret) return word;
    const secret = this.get('secrets', volume.secret.secretName);
    mkdirSync(join(folder, 'secret'), { recursive: true });
    for (const [key, data] of Object.entries(secret.data as Record<string, string>)) {
      writeFileSync(join(folder, 'secret', key), Buffer.from(data, 'base64'));
    }
    return join(folder, 'secret', word.slice(mount.mountPath.length + 1));
  }

  /** What the job controller makes of a pod's status. */
  private control(pod: Thing): void {
    const owner = pod.metadata.ownerReferences?.[0]?.name;
    const job = owner === undefined ? undefined : this.things.get(`jobs/${owner}`);
    const phase = pod.status?.phase as string | undefined;
    if (!job || !['Succeeded', 'Failed'].includes(phase ?? '') || job.status?.conditions) return;
    const condition =
      phase === 'Succeeded'
        ? { type: 'Complete', status: 'True' }
        : { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' };
    this.patch('jobs', job.metadata.name, { status: { conditions: [condition] } });
  }

  private log(name: string, query: URLSearchParams, reply: ServerResponse): void {
    const running = this.processes.get(name);
    if (!running) throw new ApiError(400, `container in pod "${name}" is waiting to start`);
    const since = query.get('sinceTime');
    reply.writeHead(200, { 'content-type': 'text/plain' });
    reply.flushHeaders();
    // By the second, as kubelets do.
    const lines = running.lines.filter((line) => since === null || line.slice(0, 19) >= since.slice(0, 19));
    reply.write(lines.join(''));
    if (running.ended || query.get('follow') !== 'true') return void reply.end();
    running.readers.add(reply);
    reply.on('close', () => running.readers.delete(reply));
  }

  /** Every connection that follows a log breaks. */
  cutLogs(): void {
    for (const { readers } of this.processes.values()) for (const reader of readers) reader.destroy();
  }
}

const UNSCHEDULABLE = {
  phase: 'Pending',
  conditions: [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: "0/1 nodes are available: 1 node(s) didn't match node selector.",
    },
  ],
};

interface Running {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly readers: Set<ServerResponse>;
  ended: boolean;
  grace?: NodeJS.Timeout;
}

function writeLine({ lines, readers }: Running, line: string): void {
  // Nanoseconds, of which no two lines share one.
  const at = `${new Date().toISOString().replace('Z', '')}${String(lines.length % 1e6).padStart(6, '0')}Z`;
  lines.push(`${at} ${line}\n`);
  for (const reader of readers) reader.write(lines.at(-1));
}

interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string };
  readonly propagationPolicy?: string;
}

class ApiError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly reason?: string,
  ) {
    super(message);
  }
}

type Reply = Pick<ServerResponse, 'writeHead' | 'end'>;

/** Takes an answer that never arrives. */
class ServerResponseSink implements Reply {
  constructor(private readonly reply: ServerResponse) {}

  writeHead(): ServerResponse {
    return this.reply;
  }

  end(): ServerResponse {
    return this.reply;
  }
}

function send(reply: Reply, code: number, body: object, headers: Readonly<Record<string, string>> = {}): void {
  reply.writeHead(code, { 'content-type': 'application/json', ...headers });
  reply.end(JSON.stringify(body));
}

function status(code: number, message: string, reason?: string): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, message, reason };
}

function discovery(api: string): object {
  const resources = Object.entries(RESOURCES)
    .filter(([, [version]]) => version === api)
    .map(([name, [, kind]]) => ({ name, singularName: '', namespaced: true, kind, verbs: ['get', 'list'] }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: api, resources };
}

function tell({ plural, namespace, matches, reply }: Watcher, { type, plural: of, thing }: Change): void {
  if (plural !== of || thing.metadata.namespace !== namespace || !matches(thing)) return;
  reply.write(`${JSON.stringify({ type, object: thing })}\n`);
}

/** Of labels `a=b` and `a!=b`; of fields the few that are asked for. */
function selector(query: URLSearchParams): (thing: Thing) => boolean {
  const parts = (name: string) => (query.get(name) ?? '').split(',').filter(Boolean);
  const labels = parts('labelSelector').map((part) => /^([^!=]+)(!?=)(.*)$/.exec(part)!.slice(1));
  const fields = parts('fieldSelector').map((part) => part.split('='));
  return (thing) =>
    labels.every(([label, operator, value]) => (thing.metadata.labels?.[label!] === value) === (operator === '=')) &&
    fields.every(([path, value]) => valueAt(thing, path!) === value);
}

function valueAt(thing: Thing, path: string): unknown {
  return path.split('.').reduce<unknown>((found, key) => (found as Record<string, unknown> | undefined)?.[key], thing);
}

function mergeInto(target: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
  const merged = (typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}) as Record<
    string,
    unknown
  >;
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeInto(merged[key], value);
  }
  return merged;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').slice(0, 4_096);
  } catch {
    return undefined;
  }
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z/, 'Z');
}
