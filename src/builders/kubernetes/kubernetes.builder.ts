import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { Config, type ExecutorRule } from '../../config/config.js';
import {
  BuildFailedError,
  Builder,
  type BuilderReadiness,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
  RemoteBuilds,
} from '../../modules/jobs/index.js';
import { Cluster, type ClusterObject, type JobObject, type Kind } from '../../platform/kubernetes/cluster.js';
import type { Patience } from '../../platform/kubernetes/cluster-call.js';
import { ClusterObjectExistsError } from '../../platform/kubernetes/cluster.errors.js';
import type { ClusterWatch } from '../../platform/kubernetes/cluster-watch.js';
import { Log } from '../../platform/logging/log.js';
import { readAuthorities } from '../authorities.js';
import { accessOf } from './build-access.js';
import {
  DEPENDENT_KINDS,
  executionLabels,
  LABELS,
  namesOf,
  objectsOf,
  ownerReference,
  selectorOf,
} from './job-objects.js';
import { PodExecution } from './pod-execution.js';
import { ShellAddress } from './shell-address.js';

/** How often what must go is looked at again. */
const LOOK_MS = 500;
/** How long an execution waits until what it deleted is gone. */
const GONE_MS = 60_000;
/** How long to wait for a cluster where somebody waits, or where there is another time. */
const HASTE_MS = 5_000;
/** How long an answer of `readiness` is kept. */
const READINESS_MS = 10_000;
/**
 * Of these there is one as long as there is anything of an execution: the ConfigMap is made first and goes last. Only
 * they are listed, so that Kiln needs no right to list the Secrets of the namespace.
 */
const MARKS: readonly Kind[] = ['Job', 'ConfigMap'];

export const KUBERNETES_BUILDER_OPTIONS = Symbol('KubernetesBuilderOptions');

/** Bounds and rhythms that no deployment needs to set; tests do. */
export interface KubernetesBuilderOptions {
  readonly patience: Patience;
  readonly lookMs: number;
}

/**
 * Runs each build as a Job of a Kubernetes cluster: the pod runs the builder program, gets its source and leaves its
 * results through addresses that are good for this execution alone, and knows nothing of Kiln's stores, database or the
 * cluster. What becomes of it is read from the cluster, since a pod can die in more ways than it can tell.
 */
@Injectable()
export class KubernetesBuilder extends Builder implements OnApplicationShutdown {
  private opened: Promise<Cluster> | undefined;
  private watching: { readonly watch: ClusterWatch; users: number } | undefined;
  private known: { readonly at: number; readonly problem: Promise<string | undefined> } | undefined;
  private readonly lookMs: number;

  constructor(
    private readonly config: Config,
    private readonly remote: RemoteBuilds,
    private readonly log: Log,
    @Optional() @Inject(KUBERNETES_BUILDER_OPTIONS) private readonly options: Partial<KubernetesBuilderOptions> = {},
  ) {
    super();
    this.lookMs = options.lookMs ?? LOOK_MS;
  }

  override build(
    order: BuildOrder,
    _source: unknown,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    return this.buildBy({ executor: 'kubernetes' }, order, report, signal);
  }

  /** As `build`, where the rule says how its pod is to look. */
  async buildBy(
    rule: ExecutorRule,
    order: BuildOrder,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    signal.throwIfAborted();
    const cluster = await this.cluster();
    // Names follow from the job, so what an earlier execution left is in the way, and what of it runs must end.
    await this.removeOthers(cluster, order, signal);
    const watch = this.startWatching(cluster);
    try {
      return await this.run(cluster, watch, rule, order, report, signal);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      // Where that fails the sweep tries again; the caller must see what happened to the build.
      await this.remove(cluster, order).catch((error: unknown) =>
        this.log.warn('objects of a build are left in the cluster; a sweep removes them', {
          error,
          job_id: order.jobId,
        }),
      );
      await this.stopWatching();
    }
  }

  override async readiness(): Promise<BuilderReadiness[]> {
    const now = Date.now();
    if (!this.known || now - this.known.at > READINESS_MS) {
      const problem = this.cluster()
        .then((cluster) => cluster.within(HASTE_MS).check())
        .then(
          () => undefined,
          (error: unknown) => (error as Error).message,
        );
      this.known = { at: now, problem };
    }
    const problem = await this.known.problem;
    return [{ builder: 'kubernetes', usable: problem === undefined, ...(problem === undefined ? {} : { problem }) }];
  }

  /** Removes objects of executions that no longer hold their job, whichever process made them. */
  override async sweep(): Promise<void> {
    // A worker sweeps before it starts, and comes back to it all the time.
    const cluster = (await this.cluster()).within(HASTE_MS);
    const labels = { [LABELS.manager]: 'kiln', [LABELS.instance]: this.config.kubernetes.instance };
    for (const kind of MARKS) {
      for await (const mark of cluster.list<ClusterObject>(kind, selectorOf(labels))) {
        const { [LABELS.job]: jobId, [LABELS.execution]: attempt } = mark.metadata.labels ?? {};
        if (jobId === undefined || attempt === undefined) continue;
        if (!(await this.remote.isHeld({ jobId, attempt: Number(attempt) }))) await removeBehind(cluster, mark);
      }
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.watching?.watch.close();
    this.watching = undefined;
  }

  private async run(
    cluster: Cluster,
    watch: ClusterWatch,
    rule: ExecutorRule,
    order: BuildOrder,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    const authorities = await readAuthorities(this.config.builds.caFile);
    const access = accessOf(order, await this.remote.grant(order), authorities, this.config);
    const { dependents, job } = objectsOf(order, access, rule, this.config);
    const { startTimeoutMs } = this.config.kubernetes;
    const { name } = job.metadata;
    const execution = new PodExecution(cluster, watch, name, order, report, startTimeoutMs, this.log);
    let shell: ShellAddress | undefined;
    try {
      const service = (await this.createAll(cluster, dependents, signal)).find(({ kind }) => kind === 'Service');
      const made = await this.createJob(cluster, job, dependents, signal);
      if (service) shell = new ShellAddress(cluster, watch, service, name, this.config, report);
      return await execution.finish(made, signal);
    } finally {
      shell?.stop();
      await execution.close();
    }
  }

  private async createAll(cluster: Cluster, objects: readonly ClusterObject[], signal: AbortSignal) {
    const created: ClusterObject[] = [];
    for (const object of objects) created.push(await this.create(cluster, object, signal));
    return created;
  }

  /** A Job comes last, since its pod needs the others; from then on they go when it goes. */
  private async createJob(
    cluster: Cluster,
    job: ClusterObject & JobObject,
    dependents: readonly ClusterObject[],
    signal: AbortSignal,
  ): Promise<JobObject> {
    const made = await this.create(cluster, job, signal);
    const metadata = { ownerReferences: [ownerReference(made)] };
    // The mark last: if it went with the Job and something else did not, nobody would find that.
    for (const { kind, metadata: own } of [...dependents].reverse()) {
      await cluster.merge(kind, own.name, { metadata: { ...metadata } });
    }
    return made;
  }

  /** What is there already and of this very execution was made by a call whose answer was lost. */
  private async create<T extends ClusterObject>(cluster: Cluster, object: T, signal: AbortSignal): Promise<T> {
    try {
      return await cluster.create(object, signal);
    } catch (error) {
      if (!(error instanceof ClusterObjectExistsError)) throw error;
      const found = await cluster.find<T>(object.kind, object.metadata.name);
      const own = object.metadata.labels?.[LABELS.execution];
      if (found?.metadata.labels?.[LABELS.execution] !== own) {
        throw new BuildFailedError(
          'executor.failed',
          `The name ${object.metadata.name} of a ${object.kind} is taken in the cluster by something that is not of this build`,
          { cause: error },
        );
      }
      return found!;
    }
  }

  /**
   * Ends every other execution of the job, and waits until nothing of it is left.
   * @throws BuildFailedError a pod does not go, since a node that is lost confirms no end
   */
  private async removeOthers(cluster: Cluster, order: BuildOrder, signal: AbortSignal): Promise<void> {
    const { [LABELS.execution]: own, ...labels } = this.labelsOf(order);
    const tooLong = AbortSignal.timeout(this.config.kubernetes.startTimeoutMs);
    const selector = `${selectorOf(labels)},${LABELS.execution}!=${own}`;
    await this.removeAll(cluster, selector, AbortSignal.any([signal, tooLong])).catch((error: unknown) => {
      if (signal.aborted || !tooLong.aborted) throw error;
      throw new BuildFailedError(
        'executor.node_lost',
        'The node of the pod of an earlier execution does not confirm its end',
      );
    });
  }

  private remove(cluster: Cluster, order: BuildOrder): Promise<void> {
    return this.removeAll(cluster, selectorOf(this.labelsOf(order)), AbortSignal.timeout(GONE_MS));
  }

  private async removeAll(cluster: Cluster, selector: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      let left = 0;
      for (const kind of MARKS) {
        for await (const mark of cluster.list<ClusterObject>(kind, selector)) left += await removeBehind(cluster, mark);
      }
      // The pods go by themselves, but until they are gone something of the build may run.
      for await (const _pod of cluster.list<ClusterObject>('Pod', selector)) left += 1;
      if (left === 0) return;
      signal.throwIfAborted();
      await delay(this.lookMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  private labelsOf({ jobId, attempt }: BuildOrder): Record<string, string> {
    return executionLabels(this.config.kubernetes.instance, jobId, attempt);
  }

  private cluster(): Promise<Cluster> {
    this.opened ??= Cluster.open({
      namespace: this.config.ims.namespace,
      kubeconfig: this.config.kubernetes.kubeconfig,
      patience: this.options.patience,
    }).catch((error: unknown) => {
      this.opened = undefined;
      throw new BuildFailedError('builder.unavailable', `The cluster cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    });
    return this.opened;
  }

  /** One pair of informers serves all builds of this process, and none runs while there is no build. */
  private startWatching(cluster: Cluster): ClusterWatch {
    const labels = { [LABELS.manager]: 'kiln', [LABELS.instance]: this.config.kubernetes.instance };
    this.watching ??= {
      watch: cluster.watch(selectorOf(labels), (error) =>
        this.log.warn('watching the cluster was interrupted; going on', { error }),
      ),
      users: 0,
    };
    this.watching.users += 1;
    return this.watching.watch;
  }

  private async stopWatching(): Promise<void> {
    const { watching } = this;
    if (!watching || (watching.users -= 1) > 0) return;
    this.watching = undefined;
    await watching.watch.close();
  }
}

/** Deletes an object and what its execution made beside it, the object itself last. Returns how many are not gone yet. */
async function removeBehind(cluster: Cluster, mark: ClusterObject): Promise<number> {
  const { [LABELS.job]: jobId, [LABELS.execution]: attempt } = mark.metadata.labels ?? {};
  let left = 0;
  for (const kind of DEPENDENT_KINDS) {
    if (mark.kind === 'Job' || kind === 'ConfigMap') continue;
    const found = await cluster.find<ClusterObject>(kind, namesOf(jobId!)[kind]);
    // By now the name may be that of a newer execution's.
    if (found?.metadata.labels?.[LABELS.execution] !== attempt) continue;
    left += 1;
    await deleteOnce(cluster, { kind, metadata: found!.metadata });
  }
  if (left === 0) await deleteOnce(cluster, mark);
  return left + 1;
}

async function deleteOnce(
  cluster: Cluster,
  { kind, metadata }: Pick<ClusterObject, 'kind' | 'metadata'>,
): Promise<void> {
  if (metadata.deletionTimestamp === undefined) await cluster.delete(kind, metadata.name, metadata.uid);
}
