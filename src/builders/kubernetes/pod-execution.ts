import type { V1Pod } from '@kubernetes/client-node';
import { BuildFailedError, type BuildOrder, type BuildReporter, type BuildResult } from '../../modules/jobs/index.js';
import type { Cluster, ClusterObject, JobObject } from '../../platform/kubernetes/cluster.js';
import type { ClusterWatch } from '../../platform/kubernetes/cluster-watch.js';
import { Log } from '../../platform/logging/log.js';
import { CONTAINER, LABELS } from './job-objects.js';
import { fateOfGone, fateOfJob, hasFinished, type PodStage, stageOf } from './pod-fate.js';
import { followPodLog } from './pod-log.js';
import { type Fate, readOutcome } from './pod-outcome.js';

/** A Job says a little later than its pods why they went. */
const AFTERWORD_MS = 3_000;
/** How long the rest of a log may take once its container has ended. */
const REST_OF_LOG_MS = 20_000;
/** How often it is asked for a Job that no watch has told of. */
const DOUBT_MS = 5_000;
/** How long a pod that was deleted may still be there: its grace period, and some more. */
const LINGER_MS = 90_000;
/** Statuses of the builder program beside 0. */
const EXIT_LEASE_LOST = 3;
const EXIT_TOLD_TO_STOP = 143;

/** One Job in the cluster from its creation to its end, as the informers see it. */
export class PodExecution {
  private settle!: (fate: Fate) => void;
  private readonly settled = new Promise<Fate>((resolve) => (this.settle = resolve));
  private readonly stop = new AbortController();
  private startTimer: NodeJS.Timeout | undefined;
  private afterword: NodeJS.Timeout | undefined;
  private lingering: NodeJS.Timeout | undefined;
  private over = false;
  private seenJob = false;
  private jobUid: string | undefined;
  private pod: V1Pod | undefined;
  private stage: PodStage = { kind: 'waiting' };
  private reading: Promise<boolean> | undefined;

  private readonly unfollow: () => void;
  private doubt: NodeJS.Timeout | undefined;

  /** Made before its Job is, so that it misses nothing of it; `close` it. */
  constructor(
    private readonly cluster: Cluster,
    private readonly watch: ClusterWatch,
    private readonly jobName: string,
    private readonly order: BuildOrder,
    private readonly report: BuildReporter,
    private readonly startTimeoutMs: number,
    private readonly log: Log,
  ) {
    this.unfollow = watch.follow(jobName, () => this.look());
  }

  /**
   * Follows the Job, which was just made, to its end.
   * @throws BuildFailedError what became of the pod, or what the program says of the build; otherwise the signal's reason
   */
  async finish(job: JobObject, signal: AbortSignal): Promise<BuildResult> {
    this.jobUid = job.metadata!.uid!;
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      if (signal.aborted) reject(signal.reason as Error);
    });
    aborted.catch(() => undefined);
    this.startTimer = setTimeout(() => void this.giveUpStarting(), this.startTimeoutMs);
    this.doubt = setInterval(() => void this.lookForUnseenJob(), DOUBT_MS);
    this.look();
    const fate = await Promise.race([this.settled, aborted]);
    this.over = true;
    await Promise.race([this.restOfLog(), aborted]);
    if ('failure' in fate) throw fate.failure;
    return fate.outcome;
  }

  async close(): Promise<void> {
    this.unfollow();
    clearTimeout(this.startTimer);
    clearTimeout(this.afterword);
    clearTimeout(this.lingering);
    clearInterval(this.doubt);
    this.stop.abort();
    await this.reading;
  }

  private look(): void {
    if (this.jobUid === undefined) return;
    const { job: found, pods, gonePods } = this.watch.of(this.jobName);
    // What an earlier execution had may still be known by the same name.
    const job = found?.metadata?.uid === this.jobUid ? found : undefined;
    const own = (pod: V1Pod): boolean => pod.metadata?.labels?.[LABELS.execution] === String(this.order.attempt);
    this.seenJob ||= job !== undefined;
    const present = pods.find(own);
    const gone = gonePods.filter(own).at(-1);
    const timedOut = job && fateOfJob(job);
    if (timedOut) return this.fail(timedOut);
    if (gone && !(present && present.metadata!.uid === gone.metadata!.uid)) {
      // Of a Job nothing but its first pod counts: another one would start over in silence.
      return this.concludeSoon(() => this.endOf(gone) ?? { failure: fateOfGone(gone) });
    }
    if (present) return this.see(present);
    if (job && hasFinished(job)) {
      return this.concludeSoon(() => ({
        failure: new BuildFailedError('executor.deleted', `The build's pod is gone, and the cluster gave its Job up`),
      }));
    }
    if (this.seenJob && !job) this.concludeSoon(() => ({ failure: jobDeleted() }));
  }

  /** A Job that was deleted before any watch told of it is never heard of. */
  private async lookForUnseenJob(): Promise<void> {
    if (this.seenJob) return;
    const found = await this.cluster.find<ClusterObject>('Job', this.jobName).catch(() => undefined);
    if (found !== undefined && found?.metadata.uid !== this.jobUid) this.fail(jobDeleted());
  }

  private see(pod: V1Pod): void {
    this.pod = pod;
    this.stage = stageOf(pod);
    const { stage } = this;
    if (stage.kind === 'running' || stage.kind === 'ended') {
      clearTimeout(this.startTimer);
      this.readLog(pod.metadata!.name!);
    }
    if (pod.metadata?.deletionTimestamp !== undefined) {
      // Only the node can confirm the end of a pod; one that is lost never does.
      this.lingering ??= setTimeout(
        () =>
          this.fail(new BuildFailedError('executor.node_lost', `The node of the build's pod does not confirm its end`)),
        LINGER_MS,
      );
    }
    if (stage.kind === 'died') this.fail(new BuildFailedError(stage.code, stage.message));
    else if (stage.kind === 'stuck' && stage.hopeless) this.fail(new BuildFailedError(stage.code, stage.message));
    else if (stage.kind === 'ended') {
      const end = this.endOf(pod);
      if (end) this.settle(end);
      // Somebody or something ended it: the pod's last word, or the Job's, says who.
      else this.concludeSoon(() => ({ failure: fateOfEnded(pod, stage.exitCode) }));
    }
  }

  /** What the program says of the build; undefined: it ended before it could. */
  private endOf(pod: V1Pod): Fate | undefined {
    const stage = stageOf(pod);
    if (stage.kind !== 'ended' || stage.exitCode !== 0) return undefined;
    return readOutcome(stage.outcome);
  }

  private fail(failure: BuildFailedError): void {
    this.settle({ failure });
  }

  /** Gives the cluster the time to say more, which then decides. */
  private concludeSoon(fate: () => Fate): void {
    this.afterword ??= setTimeout(() => this.settle(fate()), AFTERWORD_MS);
  }

  private readLog(pod: string): void {
    this.reading ??= followPodLog(
      this.cluster,
      pod,
      CONTAINER,
      (text) => this.report.log(text),
      () => this.over || this.stage.kind === 'ended' || this.stage.kind === 'died',
      (error) => this.log.debug('reading the log of a pod was interrupted', { error, job_id: this.order.jobId }),
      this.stop.signal,
    );
  }

  private async restOfLog(): Promise<void> {
    const timer = setTimeout(() => this.stop.abort(), REST_OF_LOG_MS);
    if ((await this.reading) === false) this.report.log('kiln: the end of the log of the pod could not be read\n');
    clearTimeout(timer);
  }

  private async giveUpStarting(): Promise<void> {
    const seconds = Math.round(this.startTimeoutMs / 1_000);
    if (this.stage.kind === 'stuck') return this.fail(new BuildFailedError(this.stage.code, this.stage.message));
    const why = await this.cluster.lastWarning((this.pod?.metadata?.uid ?? this.jobUid)!).catch(() => undefined);
    this.fail(
      new BuildFailedError(
        'executor.unschedulable',
        `The build's pod did not start within ${seconds} seconds${why === undefined ? '' : ` (${why})`}`,
      ),
    );
  }
}

function jobDeleted(): BuildFailedError {
  return new BuildFailedError('executor.deleted', `The build's Job was deleted while the job ran`);
}

function fateOfEnded(pod: V1Pod, exitCode: number): BuildFailedError {
  if (pod.metadata?.deletionTimestamp !== undefined) return fateOfGone(pod);
  if (exitCode === EXIT_LEASE_LOST) {
    return new BuildFailedError('executor.failed', `The builder's credential was refused, so it stopped`);
  }
  if (exitCode === EXIT_TOLD_TO_STOP) {
    return new BuildFailedError('executor.deleted', `The build's pod was told to stop`);
  }
  return new BuildFailedError('executor.failed', `The builder ended early, with status ${exitCode}`);
}
