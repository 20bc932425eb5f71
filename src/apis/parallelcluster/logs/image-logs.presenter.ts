import type { CustomImage, CustomImageLog } from '../../../modules/custom-images/index.js';
import type { LogLine, LogRange } from '../../../modules/jobs/index.js';
import { logsArn, STACK_STATUS, stackArn } from '../images/images.presenter.js';

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
  if (record.state === 'building') return [began];
  return [presentStackEvent(record, 2, record.updatedAt, STACK_STATUS[record.state], record.stateReason), began];
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
