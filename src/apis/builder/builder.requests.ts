import type { IncomingHttpHeaders } from 'node:http';
import { InvalidError } from '../../common/errors.js';
import { BUILD_PHASES, type BuildPhase, BUILT_ROLES, type ProgressReport } from '../../modules/jobs/index.js';
import { isJsonObject } from '../shared/requests/json-body.js';

const SHELL_STATUSES = ['establishing', 'active', 'complete'] as const;
const MAX_HOST_KEY = 4_096;

/** @throws InvalidError */
export function checkRole(text: string): void {
  if (!(BUILT_ROLES as readonly string[]).includes(text)) {
    throw new InvalidError(`A result has files ${BUILT_ROLES.join(', ')}, and none called ${text.slice(0, 100)}`);
  }
}

/** Room is reserved for all of it before the first byte. @throws InvalidError */
export function announcedSize(headers: IncomingHttpHeaders): number {
  const size = headers['content-length'];
  if (headers['transfer-encoding'] !== undefined || size === undefined || !/^\d+$/.test(size)) {
    throw new InvalidError('Content-Length must say how long the file is');
  }
  return Number(size);
}

/** One call tells a phase, a percentage or a shell. @throws InvalidError */
export function toReport(body: unknown): ProgressReport {
  if (!isJsonObject(body)) throw new InvalidError('A report is an object with phase, percent or shell');
  const { phase, percent, shell, ...others } = body;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new InvalidError(`A report has no member ${unknown.slice(0, 100)}`);
  return {
    ...(phase === undefined ? {} : { phase: toPhase(phase) }),
    ...(percent === undefined ? {} : { percent: toPercent(percent) }),
    ...(shell === undefined ? {} : { shell: toShell(shell) }),
  };
}

function toPhase(value: unknown): BuildPhase {
  if (!(BUILD_PHASES as readonly unknown[]).includes(value)) {
    throw new InvalidError(`phase must be one of ${BUILD_PHASES.join(', ')}`);
  }
  return value as BuildPhase;
}

function toPercent(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) {
    throw new InvalidError('percent must be a number from 0 to 100');
  }
  return Math.round(value);
}

/** The port that the program listens on is not the one where users come in, so it is read over. */
function toShell(value: unknown): ProgressReport['shell'] {
  if (!isJsonObject(value)) throw new InvalidError('shell must be an object');
  const { status, hostKey } = value;
  if (!(SHELL_STATUSES as readonly unknown[]).includes(status)) {
    throw new InvalidError(`shell: status must be one of ${SHELL_STATUSES.join(', ')}`);
  }
  if (
    hostKey !== undefined &&
    (typeof hostKey !== 'string' || hostKey.length > MAX_HOST_KEY || /[\r\n]/.test(hostKey))
  ) {
    throw new InvalidError('shell: hostKey must be one line of text');
  }
  return { status: status as (typeof SHELL_STATUSES)[number], ...(hostKey === undefined ? {} : { hostKey }) };
}
