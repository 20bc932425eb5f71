import type { CreateImage } from '../../../modules/images/index.js';
import { type JobStatus, TASK_SORT_KEYS, type TaskQuery } from '../../../modules/jobs/index.js';
import { isJsonObject, storableText } from '../../shared/requests/json-body.js';
import { QueryInvalidError, RequestInvalidError } from '../glance.errors.js';
import { toCreateImage } from '../images/create-image.js';
import type { FormatWords } from '../images/image-attributes.js';
import { type Parameters, readLimit } from '../query.js';
import { GLANCE_JOBS } from '../imports/import-request.js';

const STATUSES: Readonly<Record<string, readonly JobStatus[]>> = {
  pending: ['queued'],
  processing: ['running'],
  success: ['succeeded'],
  failure: ['failed', 'cancelled'],
};

/** An image that is to be made and imported by the old call. */
export interface ImportTaskRequest {
  readonly image: CreateImage;
  readonly uri: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/**
 * What a list of tasks is asked for.
 * @throws QueryInvalidError
 * @see Image API v2, "List tasks"
 */
export function toTaskQuery(parameters: Parameters): TaskQuery {
  const last = new Map(parameters);
  const type = last.get('type');
  if (type !== undefined && type !== 'import') throw new QueryInvalidError(`type must be import, not ${type}`);
  const status = last.get('status');
  if (status !== undefined && !Object.hasOwn(STATUSES, status)) {
    throw new QueryInvalidError(`status must be one of ${Object.keys(STATUSES).join(', ')}`);
  }
  const sortKey = TASK_SORT_KEYS.find((key) => key === (last.get('sort_key') ?? 'created_at'));
  if (!sortKey) throw new QueryInvalidError(`sort_key must be one of ${TASK_SORT_KEYS.join(', ')}`);
  const direction = last.get('sort_dir') ?? 'desc';
  if (direction !== 'asc' && direction !== 'desc') throw new QueryInvalidError('sort_dir must be asc or desc');
  return {
    face: GLANCE_JOBS,
    statuses: status === undefined ? undefined : STATUSES[status],
    legacy: type === undefined ? undefined : true,
    sortKey,
    direction,
    limit: readLimit(last.get('limit')),
    marker: last.get('marker'),
  };
}

/**
 * Reads the body of a new task.
 * @throws RequestInvalidError
 * @see Image API v2, "Create task"
 */
export function toImportTask(body: unknown, formats: FormatWords): ImportTaskRequest {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const unknown = Object.keys(body).find((key) => key !== 'type' && key !== 'input');
  if (unknown !== undefined) throw new RequestInvalidError(`A task has no '${unknown.slice(0, 100)}'`);
  if (body.type !== 'import') throw new RequestInvalidError("A task needs a type, and the only one is 'import'.");
  const { input } = body;
  if (!isJsonObject(input)) throw new RequestInvalidError("A task needs an 'input', which is an object.");
  const missing = ['import_from', 'import_from_format', 'image_properties'].find((key) => input[key] === undefined);
  if (missing !== undefined) throw new RequestInvalidError(`Input does not contain '${missing}' field`);
  const { import_from: uri, import_from_format: format, image_properties: properties } = input;
  if (typeof uri !== 'string' || typeof format !== 'string' || !isJsonObject(properties)) {
    throw new RequestInvalidError('import_from and import_from_format must be strings, image_properties an object');
  }
  if (storableText(input) === null) {
    throw new RequestInvalidError('The input has characters that cannot be kept, or nests too deep.');
  }
  const image = toCreateImage({ disk_format: format, container_format: 'bare', ...properties }, formats);
  return { image, uri, input };
}
