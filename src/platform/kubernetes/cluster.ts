import { Readable } from 'node:stream';
import type {
  CoreV1Event,
  KubeConfig,
  KubernetesObject,
  KubernetesObjectApi,
  V1DeleteOptions,
  V1Job,
  V1Pod,
} from '@kubernetes/client-node';
import { fetch } from 'undici';
import { ask, type Patience, PATIENCE } from './cluster-call.js';
import { ClusterWatch } from './cluster-watch.js';
import { ClusterObjectExistsError, ClusterUnavailableError } from './cluster.errors.js';
import { type LogLine, LogLines } from './log-lines.js';
import { steadyWatch } from './steady-watch.js';

export type { V1Job as JobObject, V1Pod as PodObject } from '@kubernetes/client-node';

/** An object of the cluster as Kiln handles it: always named, always in the one namespace. */
export interface ClusterObject extends KubernetesObject {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: NonNullable<KubernetesObject['metadata']> & { readonly name: string };
}

/** The kinds that Kiln handles, and the API each belongs to. */
export const API_OF = {
  Job: 'batch/v1',
  Pod: 'v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  PersistentVolumeClaim: 'v1',
  Service: 'v1',
} as const;
export type Kind = keyof typeof API_OF;

export interface ClusterOptions {
  readonly namespace: string;
  /** Path of a kubeconfig; undefined: the service account of the pod this process runs in. */
  readonly kubeconfig?: string;
  readonly patience?: Patience;
}

const PAGE = 250;

/**
 * One namespace of a Kubernetes cluster. Calls are tried again while the cluster is busy or away; what stays wrong is a
 * `ClusterUnavailableError`, what the cluster will not do a `ClusterRefusedError`.
 */
export class Cluster {
  private readonly patience: Patience;

  private constructor(
    private readonly client: typeof import('@kubernetes/client-node'),
    private readonly kubeConfig: KubeConfig,
    private readonly objects: KubernetesObjectApi,
    readonly namespace: string,
    patience: Patience | undefined,
  ) {
    this.patience = patience ?? PATIENCE;
  }

  /**
   * Makes no request yet.
   * @throws Error the configuration cannot be read
   */
  static async open({ namespace, kubeconfig, patience }: ClusterOptions): Promise<Cluster> {
    // The slowest import there is, and 100 MB: only for processes that need it.
    const client = await import('@kubernetes/client-node');
    const kubeConfig = new client.KubeConfig();
    if (kubeconfig === undefined) kubeConfig.loadFromCluster();
    else kubeConfig.loadFromFile(kubeconfig);
    return new Cluster(client, kubeConfig, client.KubernetesObjectApi.makeApiClient(kubeConfig), namespace, patience);
  }

  /** The same cluster for somebody who waits no longer than this for it. */
  within(giveUpMs: number): Cluster {
    const patience = { ...this.patience, giveUpMs };
    return new Cluster(this.client, this.kubeConfig, this.objects, this.namespace, patience);
  }

  /** Rejects unless the API answers and Kiln may see Jobs in the namespace. */
  async check(): Promise<void> {
    await this.ask('listing Jobs', () => this.page('Job', undefined, 1));
  }

  /**
   * Creates an object, as data. It gets the namespace.
   * @throws ClusterObjectExistsError
   */
  async create<T extends ClusterObject>(object: T, signal?: AbortSignal): Promise<T> {
    const { kind, metadata } = object;
    const placed = { ...object, metadata: { ...metadata, namespace: this.namespace } };
    const created = await ask(`creating ${kind} ${metadata.name}`, () => this.objects.create(placed), {
      patience: this.patience,
      expected: ['AlreadyExists'],
      // Somebody used up some of the same quota at the same time, for instance.
      passing: [409],
      signal,
    });
    if (!created) throw new ClusterObjectExistsError(kind, metadata.name);
    return created;
  }

  /** Null: there is none. */
  find<T extends ClusterObject>(kind: Kind, name: string): Promise<T | null> {
    return this.ask(`reading ${kind} ${name}`, () => this.objects.read<T>(this.header(kind, name)), [404]);
  }

  /** All objects of a kind with these labels, a page at a time. */
  async *list<T extends ClusterObject>(kind: Kind, labelSelector: string): AsyncGenerator<T> {
    let after: string | undefined;
    do {
      const page = await this.ask(`listing ${kind}s`, () => this.page<T>(kind, labelSelector, PAGE, after));
      for (const item of page!.items) yield { ...item, kind, apiVersion: API_OF[kind] };
      after = page!.metadata?._continue || undefined;
    } while (after !== undefined);
  }

  /** Changes members of an object, as a JSON merge patch; false: it is not there. */
  async merge(kind: Kind, name: string, change: object): Promise<boolean> {
    const patch = { ...this.header(kind, name), ...change } as ClusterObject;
    patch.metadata.namespace = this.namespace;
    patch.metadata.name = name;
    const { MergePatch } = this.client.PatchStrategy;
    const changed = await ask(
      `changing ${kind} ${name}`,
      () => this.objects.patch(patch, undefined, undefined, undefined, undefined, MergePatch),
      // Somebody changed it at the same time, and the server lost the race once too often.
      { patience: this.patience, expected: [404], passing: [409] },
    );
    return changed !== null;
  }

  /**
   * Begins to delete an object, and with it what it owns; one that is not there, or is another by now, is no failure.
   * @param uid of the one that is meant, where another may have its name by now
   */
  async delete(kind: Kind, name: string, uid?: string): Promise<void> {
    // Without a policy a batch/v1 Job leaves its pods behind; that of the query counts for nothing where there is a body.
    const body: V1DeleteOptions = {
      propagationPolicy: 'Background',
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    };
    const none = undefined;
    await this.ask(
      `deleting ${kind} ${name}`,
      () => this.objects.delete(this.header(kind, name), none, none, none, none, none, body),
      [404, 409],
    );
  }

  /**
   * Reads a container's log line by line, long lines piece by piece, until it ends: with the container, or because the
   * connection did.
   * @param after the `at` of the last line that is known; lines of that second may come again
   * @returns false: there is no log (yet)
   * @throws ClusterUnavailableError it cannot be read now, or breaks off; what was read stays read
   */
  async readLog(
    pod: string,
    container: string,
    after: string | undefined,
    onLine: (line: LogLine) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    const address = new URL(
      `${this.kubeConfig.getCurrentCluster()!.server}/api/v1/namespaces/${this.namespace}/pods/${pod}/log`,
    );
    const query = {
      container,
      follow: 'true',
      timestamps: 'true',
      ...(after === undefined ? {} : { sinceTime: after }),
    };
    address.search = new URLSearchParams(query).toString();
    const request = new this.client.RequestContext(address.href, this.client.HttpMethod.GET);
    await this.kubeConfig.applySecurityAuthentication(request);
    // The client's own `Log` has no ear for a connection that breaks, which would end the process.
    const answer = await fetch(address, {
      headers: request.getHeaders(),
      dispatcher: request.getDispatcher(),
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new ClusterUnavailableError(`reading the log of ${pod}`, error);
    });
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel();
      if (answer.status === 429 || answer.status >= 500) {
        throw new ClusterUnavailableError(`reading the log of ${pod}`, new Error(`it answered ${answer.status}`));
      }
      return false;
    }
    const lines = new LogLines(onLine);
    try {
      for await (const text of Readable.fromWeb(answer.body).setEncoding('utf8')) lines.push(text as string);
    } catch (error) {
      throw new ClusterUnavailableError(`reading the log of ${pod}`, error);
    }
    lines.end();
    return true;
  }

  /** What the cluster last warned of about an object; undefined: of nothing, or long ago. */
  async lastWarning(uid: string): Promise<string | undefined> {
    const fields = `involvedObject.uid=${uid},type=Warning`;
    const page = await this.ask('listing Events', () =>
      this.objects.list<CoreV1Event>(
        'v1',
        'Event',
        this.namespace,
        undefined,
        undefined,
        undefined,
        fields,
        undefined,
        PAGE,
      ),
    );
    const last = page!.items.map(({ reason, message }) => [reason, message].filter(Boolean).join(': ')).at(-1);
    return last?.slice(0, 300);
  }

  /** What happens to Jobs and Pods with these labels, from now until it is closed. */
  watch(labelSelector: string, trouble: (error: unknown) => void): ClusterWatch {
    const informer = <T extends V1Job | V1Pod>(kind: 'Job' | 'Pod', path: string) =>
      new this.client.ListWatch<T>(
        // Bookmarks keep a quiet watch's place from growing too old.
        `${path}/namespaces/${this.namespace}/${kind.toLowerCase()}s?allowWatchBookmarks=true`,
        steadyWatch(this.client, this.kubeConfig),
        async () => (await this.page<ClusterObject>(kind, labelSelector)) as never,
        false,
        labelSelector,
      );
    return new ClusterWatch(
      informer<V1Job>('Job', '/apis/batch/v1'),
      informer<V1Pod>('Pod', '/api/v1'),
      this.patience,
      trouble,
    );
  }

  private page<T extends ClusterObject>(kind: Kind, labelSelector?: string, limit?: number, after?: string) {
    return this.objects.list<T>(
      API_OF[kind],
      kind,
      this.namespace,
      undefined,
      undefined,
      undefined,
      undefined,
      labelSelector,
      limit,
      after,
    );
  }

  private ask<T>(doing: string, call: () => Promise<T>, expected: readonly number[] = []) {
    return ask(doing, call, { patience: this.patience, expected });
  }

  private header(kind: Kind, name: string) {
    return { apiVersion: API_OF[kind], kind, metadata: { name, namespace: this.namespace } };
  }
}
