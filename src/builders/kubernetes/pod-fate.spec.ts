import { describe, expect, it } from '@jest/globals';
import type { V1Pod } from '@kubernetes/client-node';
import { fateOfGone, fateOfJob, hasFinished, stageOf } from './pod-fate.js';

function aPod(status: object): V1Pod {
  const limits = { memory: '5Gi' };
  return { spec: { containers: [{ name: 'builder', resources: { limits } }] }, status };
}

const FILES = '{"files":[{"role":"rootfs","fileId":"a file"}]}';
const of = (state: object) => [{ name: 'builder', image: 'kiln:1', imageID: '', ready: false, restartCount: 0, state }];
const condition = (type: string, reason: string, status = 'True') => [{ type, status, reason, message: 'so it is' }];

describe('stageOf', () => {
  it.each<[string, object, object]>([
    ['nothing yet', {}, { kind: 'waiting' }],
    ['pending', { phase: 'Pending' }, { kind: 'waiting' }],
    [
      'being made',
      { phase: 'Pending', containerStatuses: of({ waiting: { reason: 'ContainerCreating' } }) },
      { kind: 'waiting' },
    ],
    ['running', { phase: 'Running', containerStatuses: of({ running: {} }) }, { kind: 'running' }],
    [
      'ended',
      { phase: 'Succeeded', containerStatuses: of({ terminated: { exitCode: 0, message: '{}' } }) },
      { kind: 'ended', exitCode: 0, outcome: '{}' },
    ],
    [
      'ended badly',
      { phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 7, reason: 'Error' } }) },
      { kind: 'ended', exitCode: 7, outcome: '' },
    ],
    [
      'without a node',
      { phase: 'Pending', conditions: condition('PodScheduled', 'Unschedulable', 'False') },
      { kind: 'stuck', code: 'executor.unschedulable', hopeless: false },
    ],
    [
      'without its image',
      { phase: 'Pending', containerStatuses: of({ waiting: { reason: 'ErrImagePull', message: 'no such host' } }) },
      { kind: 'stuck', code: 'executor.image_pull_failed', hopeless: false },
    ],
    [
      'with an image that is none',
      { phase: 'Pending', containerStatuses: of({ waiting: { reason: 'InvalidImageName' } }) },
      { kind: 'stuck', code: 'executor.image_pull_failed', hopeless: true },
    ],
    [
      'with an image that may not be pulled',
      { phase: 'Pending', containerStatuses: of({ waiting: { reason: 'ErrImageNeverPull' } }) },
      { kind: 'stuck', code: 'executor.image_pull_failed', hopeless: true },
    ],
    [
      'that cannot be started',
      { phase: 'Pending', containerStatuses: of({ waiting: { reason: 'RunContainerError' } }) },
      { kind: 'stuck', code: 'executor.failed' },
    ],
    [
      'that could not be started',
      { phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 128, reason: 'StartError' } }) },
      { kind: 'died', code: 'executor.failed' },
    ],
    [
      'out of memory',
      { phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 137, reason: 'OOMKilled' } }) },
      {
        kind: 'died',
        code: 'executor.out_of_memory',
        message: 'The build needed more memory than its pod may have (5Gi)',
      },
    ],
    [
      'done although a part of the build was out of memory',
      { phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 0, reason: 'OOMKilled', message: FILES } }) },
      { kind: 'ended', exitCode: 0, outcome: FILES },
    ],
    [
      'done before it was evicted',
      {
        phase: 'Failed',
        reason: 'Evicted',
        containerStatuses: of({ terminated: { exitCode: 0, reason: 'Completed', message: FILES } }),
      },
      { kind: 'ended', exitCode: 0, outcome: FILES },
    ],
    [
      'out of memory, in the words of the program',
      {
        phase: 'Failed',
        containerStatuses: of({
          terminated: { exitCode: 0, reason: 'OOMKilled', message: '{"code":"build.failed","message":"killed"}' },
        }),
      },
      { kind: 'died', code: 'executor.out_of_memory' },
    ],
    [
      'evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      { kind: 'died', code: 'executor.evicted' },
    ],
    [
      'evicted while its container still seems to run',
      { phase: 'Failed', reason: 'Evicted', containerStatuses: of({ running: {} }) },
      { kind: 'died', code: 'executor.evicted' },
    ],
    [
      'evicted through the API',
      { phase: 'Running', conditions: condition('DisruptionTarget', 'EvictionByEvictionAPI') },
      { kind: 'died', code: 'executor.evicted' },
    ],
    [
      'preempted',
      { phase: 'Running', conditions: condition('DisruptionTarget', 'PreemptionByScheduler') },
      { kind: 'died', code: 'executor.evicted' },
    ],
    ['on a lost node', { phase: 'Running', reason: 'NodeLost' }, { kind: 'died', code: 'executor.node_lost' }],
    ['of an unknown state', { phase: 'Unknown' }, { kind: 'died', code: 'executor.node_lost' }],
    [
      'tainted away',
      { phase: 'Running', conditions: condition('DisruptionTarget', 'DeletionByTaintManager') },
      { kind: 'died', code: 'executor.node_lost' },
    ],
    [
      'over the deadline of its Job',
      { phase: 'Failed', reason: 'DeadlineExceeded' },
      { kind: 'died', code: 'build.timeout' },
    ],
    [
      'failed for another reason',
      { phase: 'Failed', reason: 'UnexpectedAdmissionError' },
      { kind: 'died', code: 'executor.failed' },
    ],
  ])('knows a pod %s', (_state, status, stage) => {
    expect(stageOf(aPod(status))).toMatchObject(stage);
  });

  it('takes a pod that is being deleted for deleted where the node says no more than that it failed', () => {
    const pod = aPod({ phase: 'Failed' });
    pod.metadata = { ...pod.metadata, deletionTimestamp: new Date() };

    expect(stageOf(pod)).toMatchObject({ kind: 'died', code: 'executor.deleted' });
  });
});

describe('fateOfGone', () => {
  it('takes the last word of a pod, and else that somebody deleted it', () => {
    expect(fateOfGone(aPod({ phase: 'Failed', reason: 'Evicted' })).code).toBe('executor.evicted');
    expect(fateOfGone(aPod({ phase: 'Running', containerStatuses: of({ running: {} }) })).code).toBe(
      'executor.deleted',
    );
    expect(fateOfGone(undefined).code).toBe('executor.deleted');
  });
});

describe('fateOfJob', () => {
  it('knows a deadline, and leaves every other end to the pod', () => {
    const job = (reason: string) => ({
      spec: { activeDeadlineSeconds: 60, template: {} },
      status: { conditions: condition('Failed', reason) },
    });

    expect(fateOfJob(job('DeadlineExceeded') as never)?.code).toBe('build.timeout');
    expect(fateOfJob(job('BackoffLimitExceeded') as never)).toBeUndefined();
    expect(hasFinished(job('BackoffLimitExceeded') as never)).toBe(true);
    expect(hasFinished({})).toBe(false);
  });
});
