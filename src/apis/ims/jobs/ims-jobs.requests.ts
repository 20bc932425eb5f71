import { Transform } from 'class-transformer';
import { Matches, ValidateBy } from 'class-validator';
import { BooleanWord, Choice, IntegerWord, Name, NestedList, Nullable, Optional, Text } from '../ims-fields.js';
import { IMS_JOB_STATUSES, type ImsJobStatus } from './job-status.js';

const JOB_TYPES = ['create', 'customize'] as const;
const FILE_NAME_CHARACTERS = 255;
const MOST_GIB = 1_000_000;
/** One is the most that any job takes, but how many there are is judged later than how each one looks. */
const MOST_CONTAINERS = 100;

const Uuid = () => (target: object, property: string) => {
  Transform(({ value }) => (typeof value === 'string' ? value.toLowerCase() : (value as unknown)))(target, property);
  Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: '$property must be a UUID' })(target, property);
};

/** Nothing is said by an object in which there is nothing but empty objects. */
function saysNothing(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(saysNothing);
}

// The reference's example sends it empty, its service refuses it: so empty is ignored, and anything else refused.
const Unsaid = () =>
  ValidateBy({
    name: 'unsaid',
    validator: { validate: saysNothing, defaultMessage: () => 'property $property should not exist' },
  });

class SshContainerRequest {
  @Optional()
  @Text(1024)
  name?: string;

  @Optional()
  @BooleanWord()
  jail?: boolean;

  @Optional()
  @Unsaid()
  connection_info?: object;
}

/** Body of POST /v3/jobs. @see Image Management Service v3, JobRecord */
export class CreateJobRequest {
  @Choice(JOB_TYPES)
  job_type: (typeof JOB_TYPES)[number];

  @Uuid()
  artifact_id: string;

  @Uuid()
  public_key_id: string;

  @Name()
  image_root_archive_name: string;

  /** Empty counts as not given: what is the default depends on the recipe. */
  @Optional()
  @Text(FILE_NAME_CHARACTERS, { minimum: 0 })
  kernel_file_name?: string;

  @Optional()
  @Text(FILE_NAME_CHARACTERS)
  initrd_file_name?: string;

  @Optional()
  @Text(FILE_NAME_CHARACTERS)
  kernel_parameters_file_name?: string;

  @Optional()
  @BooleanWord()
  enable_debug?: boolean;

  @Optional()
  @IntegerWord(1, MOST_GIB)
  build_env_size?: number;

  @Optional()
  @BooleanWord()
  require_dkms?: boolean;

  @Nullable()
  @NestedList(() => SshContainerRequest, MOST_CONTAINERS)
  ssh_containers?: SshContainerRequest[] | null;

  @Optional()
  @IntegerWord(1, MOST_GIB)
  job_mem_size?: number;
}

/** Body of PATCH /v3/jobs/{job_id}. */
export class ReportJobRequest {
  @Optional()
  @Choice(IMS_JOB_STATUSES)
  status?: ImsJobStatus;

  @Optional()
  @Uuid()
  resultant_image_id?: string;
}
