import type { Informer, V1Job, V1Pod } from '@kubernetes/client-node';
import type { Patience } from './cluster-call.js';

/** What is known of one Job and its pods. */
export interface JobSight {
  /** Undefined: not (or not any more) there. */
  readonly job: V1Job | undefined;
  readonly pods: readonly V1Pod[];
  /** Pods that are gone, as they were last seen. */
  readonly gonePods: readonly V1Pod[];
}

type Listener = () => void;

/** Beyond this nobody waits for what is known of a Job that is gone. */
const MOST_GONE_PODS = 16;

/**
 * Follows the Jobs and Pods of one label through two informers, which list, watch, go on where a watch ended and list
 * again when their place is too old. What else goes wrong is tried again, ever more slowly, until it is closed.
 */
export class ClusterWatch {
  private readonly jobs = new Map<string, V1Job>();
  private readonly pods = new Map<string, Map<string, V1Pod>>();
  private readonly gone = new Map<string, V1Pod[]>();
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(
    private readonly jobInformer: Informer<V1Job>,
    private readonly podInformer: Informer<V1Pod>,
    private readonly patience: Patience,
    private readonly trouble: (error: unknown) => void,
  ) {
    jobInformer.on('add', (job) => this.seeJob(job));
    jobInformer.on('update', (job) => this.seeJob(job));
    jobInformer.on('delete', (job) => this.loseJob(job));
    podInformer.on('add', (pod) => this.seePod(pod));
    podInformer.on('update', (pod) => this.seePod(pod));
    podInformer.on('delete', (pod) => this.losePod(pod));
    this.keepGoing(jobInformer);
    this.keepGoing(podInformer);
  }

  /** What is known now of a Job. */
  of(jobName: string): JobSight {
    return {
      job: this.jobs.get(jobName),
      pods: [...(this.pods.get(jobName)?.values() ?? [])],
      gonePods: this.gone.get(jobName) ?? [],
    };
  }

  /** Calls back at every change of a Job or its pods, until the function that is returned is called. */
  follow(jobName: string, listener: Listener): () => void {
    const listeners = this.listeners.get(jobName) ?? new Set();
    this.listeners.set(jobName, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.listeners.delete(jobName);
      this.gone.delete(jobName);
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timers.forEach((timer) => clearTimeout(timer));
    await Promise.all([this.jobInformer.stop(), this.podInformer.stop()]);
  }

  private keepGoing<T extends V1Job | V1Pod>(informer: Informer<T>): void {
    let pauseMs = this.patience.firstPauseMs;
    const start = (): void => {
      if (!this.closed) void informer.start().catch((error: unknown) => again(error));
    };
    // An informer that met an error has stopped.
    const again = (error: unknown): void => {
      if (this.closed) return;
      this.trouble(error);
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        start();
      }, pauseMs);
      this.timers.add(timer);
      pauseMs = Math.min(2 * pauseMs, this.patience.longestPauseMs);
    };
    const wellAgain = (): void => void (pauseMs = this.patience.firstPauseMs);
    for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, wellAgain);
    informer.on('error', again);
    start();
  }

  private seeJob(job: V1Job): void {
    this.jobs.set(job.metadata!.name!, job);
    this.tell(job.metadata!.name!);
  }

  private loseJob(job: V1Job): void {
    this.jobs.delete(job.metadata!.name!);
    this.tell(job.metadata!.name!);
  }

  private seePod(pod: V1Pod): void {
    const jobName = jobOf(pod);
    if (jobName === undefined) return;
    const pods = this.pods.get(jobName) ?? new Map<string, V1Pod>();
    this.pods.set(jobName, pods.set(pod.metadata!.name!, pod));
    this.tell(jobName);
  }

  private losePod(pod: V1Pod): void {
    const jobName = jobOf(pod);
    if (jobName === undefined) return;
    const pods = this.pods.get(jobName);
    pods?.delete(pod.metadata!.name!);
    if (pods?.size === 0) this.pods.delete(jobName);
    if (this.listeners.has(jobName)) {
      this.gone.set(jobName, [...(this.gone.get(jobName) ?? []), pod].slice(-MOST_GONE_PODS));
    }
    this.tell(jobName);
  }

  private tell(jobName: string): void {
    for (const listener of [...(this.listeners.get(jobName) ?? [])]) listener();
  }
}

/** Which Job made a pod. */
function jobOf(pod: V1Pod): string | undefined {
  return pod.metadata?.labels?.['job-name'];
}
