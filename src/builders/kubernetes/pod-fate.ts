import type { V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';
import { BuildFailedError, type BuildFailureCode } from '../../modules/jobs/index.js';
import { CONTAINER } from './job-objects.js';
import { readOutcome } from './pod-outcome.js';

/** What a pod that has not ended is doing. */
export type PodStage =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'running' }
  /** It may mend itself (a node comes, a registry answers), so it is given some time. */
  | { readonly kind: 'stuck'; readonly code: BuildFailureCode; readonly message: string; readonly hopeless: boolean }
  | { readonly kind: 'ended'; readonly exitCode: number; readonly outcome: string }
  | { readonly kind: 'died'; readonly code: BuildFailureCode; readonly message: string };

/** Reasons of a container that cannot start because of its image. */
const PULL_FAILURES = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'RegistryUnavailable',
  'ErrImageNeverPull',
];
/** Those that no waiting mends. */
const HOPELESS = ['InvalidImageName', 'ErrImageNeverPull'];
/** The same for anything else of a container. */
const START_FAILURES = [
  'CreateContainerConfigError',
  'CreateContainerError',
  'CreatePodSandboxError',
  'RunContainerError',
  'StartError',
  'ContainerCannotRun',
  'PostStartHookError',
];
/** Reasons of pods and of their condition `DisruptionTarget` (1.26 and newer), and what they mean. */
const EVICTED = ['Evicted', 'Preempting', 'PreemptionByScheduler', 'EvictionByEvictionAPI', 'TerminationByKubelet'];
const NODE_LOST = [
  'NodeLost',
  'NodeShutdown',
  'Shutdown',
  'Terminated',
  'NodeAffinity',
  'DeletionByTaintManager',
  'DeletionByPodGC',
];

const DELETED = `The build's pod was deleted while the job ran`;

/** Where a pod stands, from what the cluster says of it. */
export function stageOf(pod: V1Pod): PodStage {
  const container = builderOf(pod);
  const terminated = container?.state?.terminated;
  // A result that is whole counts, whatever befell a part of the build, or the pod when it was done.
  if (terminated?.exitCode === 0 && 'outcome' in readOutcome(terminated.message ?? '')) {
    return { kind: 'ended', exitCode: 0, outcome: terminated.message! };
  }
  const died = deathOf(pod);
  if (died) return died;
  if (terminated) {
    if (terminated.reason === 'OOMKilled') return outOfMemory(pod);
    if (START_FAILURES.includes(terminated.reason ?? '')) {
      return dead('executor.failed', `The builder could not be started (${terminated.message ?? terminated.reason})`);
    }
    return { kind: 'ended', exitCode: terminated.exitCode, outcome: terminated.message ?? '' };
  }
  const phase = pod.status?.phase;
  if (phase === 'Failed') {
    // A node may forget the container of a pod that is being deleted before it tells how it ended.
    if (pod.metadata?.deletionTimestamp !== undefined) return dead('executor.deleted', DELETED);
    return dead('executor.failed', `The build's pod failed (${words(pod.status?.reason, pod.status?.message)})`);
  }
  if (phase === 'Unknown') return dead('executor.node_lost', `The node of the build's pod does not answer any more`);
  const waiting = container?.state?.waiting;
  if (PULL_FAILURES.includes(waiting?.reason ?? '') || waiting?.reason === 'InvalidImageName') {
    return {
      kind: 'stuck',
      code: 'executor.image_pull_failed',
      message: `The image ${container?.image ?? ''} of the builder cannot be had (${words(waiting!.reason, waiting!.message)})`,
      hopeless: HOPELESS.includes(waiting!.reason!),
    };
  }
  if (START_FAILURES.includes(waiting?.reason ?? '')) {
    return {
      kind: 'stuck',
      code: 'executor.failed',
      message: `The builder cannot be started (${words(waiting!.reason, waiting!.message)})`,
      hopeless: false,
    };
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (phase === 'Pending' && scheduled?.status === 'False') {
    return {
      kind: 'stuck',
      code: 'executor.unschedulable',
      message: `No node takes the build's pod (${words(scheduled.reason, scheduled.message)})`,
      hopeless: false,
    };
  }
  return { kind: phase === 'Running' ? 'running' : 'waiting' };
}

/** Why a pod that was there is there no more, when nothing said so before. */
export function fateOfGone(pod: V1Pod | undefined): BuildFailedError {
  const stage = pod && stageOf(pod);
  if (stage?.kind === 'died') return new BuildFailedError(stage.code, stage.message);
  return new BuildFailedError('executor.deleted', DELETED);
}

/** Why a Job has ended, as far as it is the Job's own doing; undefined: it has not, or its pod says it better. */
export function fateOfJob(job: V1Job): BuildFailedError | undefined {
  const failed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  if (failed?.reason !== 'DeadlineExceeded') return undefined;
  return new BuildFailedError(
    'build.timeout',
    `The build took longer than the ${job.spec?.activeDeadlineSeconds} seconds allowed`,
  );
}

/** Whether the cluster has given the Job up or finished it. */
export function hasFinished(job: V1Job): boolean {
  return (
    job.status?.conditions?.some(({ type, status }) => ['Failed', 'Complete'].includes(type) && status === 'True') ??
    false
  );
}

function deathOf(pod: V1Pod): PodStage | undefined {
  const { status } = pod;
  const disruption = status?.conditions?.find(({ type, status: met }) => type === 'DisruptionTarget' && met === 'True');
  const reasons = [status?.reason, disruption?.reason].filter((reason) => reason !== undefined);
  const message = status?.message ?? disruption?.message;
  for (const reason of reasons) {
    if (EVICTED.includes(reason))
      return dead('executor.evicted', `The build's pod was evicted (${words(reason, message)})`);
    if (NODE_LOST.includes(reason)) {
      return dead('executor.node_lost', `The node of the build's pod was lost (${words(reason, message)})`);
    }
    if (reason === 'OOMKilled') return outOfMemory(pod);
    // Of the Job's deadline; the Job itself says so too.
    if (reason === 'DeadlineExceeded') return dead('build.timeout', `The build took longer than its Job may`);
  }
  return undefined;
}

function outOfMemory(pod: V1Pod): PodStage {
  const limit = pod.spec?.containers?.find(({ name }) => name === CONTAINER)?.resources?.limits?.memory;
  return dead(
    'executor.out_of_memory',
    `The build needed more memory than its pod may have${limit === undefined ? '' : ` (${limit})`}`,
  );
}

function builderOf(pod: V1Pod): V1ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER);
}

function dead(code: BuildFailureCode, message: string): PodStage {
  return { kind: 'died', code, message };
}

function words(reason: string | undefined, message: string | undefined): string {
  return [reason, message].filter(Boolean).join(': ').split('\n')[0]!.slice(0, 300) || 'no reason given';
}
