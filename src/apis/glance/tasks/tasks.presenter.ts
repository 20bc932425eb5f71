import { hashOrderOf, type Job, orderOf, TASK_RETENTION_MS } from '../../../modules/jobs/index.js';
import { presentTime } from '../../shared/wire-time.js';

const STATUS = {
  queued: 'pending',
  running: 'processing',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'failure',
} as const satisfies Record<Job['status'], string>;

/** The kinds of tasks on the wire: the old call's, that of every import, and that of every location. */
function taskType(task: Job): 'import' | 'api_image_import' | 'location_import' {
  if (task.jobType === 'hash') return 'location_import';
  return orderOf(task).legacy ? 'import' : 'api_image_import';
}

/** A task as lists show it. */
export function presentTaskStub(task: Job) {
  return {
    id: task.id,
    type: taskType(task),
    status: STATUS[task.status],
    owner: task.projectId,
    ...(task.finishedAt ? { expires_at: presentTime(new Date(task.finishedAt.getTime() + TASK_RETENTION_MS)) } : {}),
    created_at: presentTime(task.createdAt),
    updated_at: presentTime(task.updatedAt),
    self: `/v2/tasks/${task.id}`,
    schema: '/v2/schemas/task',
  };
}

/** @param withSource whether the reader may know where the data comes from: addresses may have secrets in them */
export function presentTask(task: Job, withSource: boolean) {
  return {
    ...presentTaskStub(task),
    input: withSource ? presentInput(task) : null,
    result: task.status === 'succeeded' ? { image_id: task.imageId } : null,
    message: task.causeMessage ?? task.message ?? '',
    image_id: task.imageId,
    request_id: task.requestId,
    user_id: task.userId,
  };
}

function presentInput(task: Job): object {
  if (task.jobType === 'hash') return presentLocation(task);
  const { method, stores, allStoresMustSucceed, legacy } = orderOf(task);
  if (legacy) return legacy;
  const told =
    method.name === 'glance-download'
      ? {
          name: method.name,
          glance_region: method.region,
          glance_image_id: method.imageId,
          glance_service_interface: method.serviceInterface,
        }
      : method;
  return {
    image_id: task.imageId,
    import_req: { method: told, stores, all_stores_must_succeed: allStoresMustSucceed },
    backend: stores,
  };
}

function presentLocation(task: Job): object {
  const { url, validation } = hashOrderOf(task);
  return {
    image_id: task.imageId,
    loc_url: url,
    validation_data: validation ? { os_hash_algo: validation.algorithm, os_hash_value: validation.value } : {},
  };
}
