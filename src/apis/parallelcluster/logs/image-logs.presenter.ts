import type { CustomImage, CustomImageLog, CustomImageState } from '../../../modules/custom-images/index.js';
import type { LogLine, LogRange } from '../../../modules/jobs/index.js';
import { logsArn, stackArn } from '../images/images.presenter.js';

/** What became of the one resource of a stack. Clients know no resource that is rolled back: what is so is deleted. */
const RESOURCE_STATUS = {
  complete: 'CREATE_COMPLETE',
  failed: 'CREATE_FAILED',
  rolling_back: 'DELETE_IN_PROGRESS',
  rolled_back: 'DELETE_COMPLETE',
  rollback_failed: 'DELETE_FAILED',
  deleting: 'DELETE_IN_PROGRESS',
  delete_failed: 'DELETE_FAILED',
} as const satisfies Record<Exclude<CustomImageState, 'building'>, string>;

export function presentStream({ record, name, extent }: CustomImageLog) {
  return {
    logStreamName: name,
    creationTime: record.createdAt.toISOString(),
    firstEventTimestamp: extent.firstWrittenAt.toISOString(),
    lastEventTimestamp: extent.lastWrittenAt.toISOString(),
    lastIngestionTime: extent.lastWrittenAt.toISOString(),
    uploadSequenceToken: String(extent.lines),
    logStreamArn: `${logsArn(record)}:log-stream:${name}`,
  };
}

/** A page of a log. Both tokens are always there: whoever comes back with one that was told twice has seen all there is. */
export function presentEvents(lines: readonly LogLine[], place: LogRange['place']) {
  const [first, last] = [lines[0]?.number, lines.at(-1)?.number];
  // Where nothing is before the end, all that comes is behind the beginning.
  const behind = last ?? ('after' in place ? place.after : 0);
  const before = first ?? ('after' in place ? place.after + 1 : place.before);
  return {
    events: lines.map(({ writtenAt, text }) => ({ timestamp: writtenAt.toISOString(), message: text })),
    nextToken: `f/${behind}`,
    prevToken: `b/${before}`,
  };
}

/** The newest first. A build's stack is all that it has: its beginning, and what became of it. */
export function presentStackEvents(record: CustomImage) {
  const began = presentStackEvent(record, 1, record.createdAt, 'CREATE_IN_PROGRESS', 'User Initiated');
  const { state, stateReason, updatedAt } = record;
  if (state === 'building') return [began];
  return [presentStackEvent(record, 2, updatedAt, RESOURCE_STATUS[state], stateReason), began];
}

function presentStackEvent(record: CustomImage, number: number, time: Date, status: string, reason: string | null) {
  return {
    stackId: stackArn(record),
    eventId: `${record.jobId}-${number}`,
    stackName: record.name,
    logicalResourceId: record.name,
    physicalResourceId: stackArn(record),
    resourceType: 'AWS::CloudFormation::Stack',
    timestamp: time.toISOString(),
    resourceStatus: status,
    ...(reason === null ? {} : { resourceStatusReason: reason }),
  };
}
