export * from './builder.js';
export { type BuilderAccess, RemoteBuilds, type RemoteExecution } from './builds/remote-builds.js';
export type { ProgressReport } from './execution/execution-progress.js';
export { JobRunner, MOST_ATTEMPTS } from './execution/job-runner.js';
export { type AwaitedDigest, HASH_ALGORITHMS, type HashAlgorithm, hashOrderOf } from './imports/hash-order.js';
export { type ImportOrder, type ImportSourceOrder, orderOf } from './imports/import-order.js';
export { type ConversionOrder, type ConvertedData, ImageConverter } from './imports/image-converter.js';
export { ImportArgumentError, ImportMethodError } from './imports/imports.errors.js';
export { ImportsService } from './imports/imports.service.js';
export {
  type AddImageLocation,
  type ImportImage,
  TASK_SORT_KEYS,
  type TaskQuery,
  type TaskSortKey,
} from './imports/imports.types.js';
export { TASK_RETENTION_MS, TasksService } from './imports/tasks.service.js';
export { type Ending, JobEndings } from './job-endings.js';
export type { LogExtent, LogRange } from './job-logs.repository.js';
export { JobLogsService, type LogEvent, type LogLine } from './job-logs.service.js';
export { BUILDS_QUEUE, CUSTOMIZE_QUEUE, JobQueue, TRANSFERS_QUEUE } from './job-queue.js';
export {
  type ActivePhase,
  type FinalStatus,
  hasEnded,
  JOB_PHASES,
  JOB_STATUSES,
  JOB_TYPES,
  type JobPhase,
  type JobState,
  type JobStatus,
  type JobType,
  mayBecome,
} from './job-state.js';
export { Job, type SshContainer, type TemplatePair } from './job.entity.js';
export {
  BuilderCredentialError,
  JobEndedError,
  JobKeyError,
  JobMarkerError,
  JobNotFoundError,
  JobObjectMissingError,
  JobScriptsError,
  JobShellsError,
  JobSourceError,
  LeaseLostError,
  TooManyFollowersError,
} from './jobs.errors.js';
export { JobExecutionModule, JobsModule } from './jobs.module.js';
export { JobsService } from './jobs.service.js';
export type {
  CreateJob,
  DeleteJobs,
  JobCause,
  JobFilter,
  JobQuery,
  JobSortKey,
  ListedJob,
  ReportJob,
  ScriptedCustomize,
} from './jobs.types.js';
