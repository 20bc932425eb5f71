import {
  accountNumberOf,
  CUSTOM_IMAGES_FACE,
  type CustomImage,
  type CustomImageState,
  type CustomImageView,
  type ListedCustomImage,
  type Tag,
} from '../../../modules/custom-images/index.js';
import { type Image, type ImageStatus, isReservedProperty } from '../../../modules/images/index.js';
import type { Job, JobState } from '../../../modules/jobs/index.js';
import type { Dialect } from '../dialect.js';

const PARTITION = 'aws';
const SYSTEM_TAG = 'parallelcluster:';
/** What is said where a configuration can be read that cannot be read now. */
const NOT_AVAILABLE = 'NOT_AVAILABLE';

/** What became of the stack that a build would have. */
const STACK_STATUS = {
  building: 'CREATE_IN_PROGRESS',
  complete: 'CREATE_COMPLETE',
  failed: 'CREATE_FAILED',
  rolling_back: 'ROLLBACK_IN_PROGRESS',
  rolled_back: 'ROLLBACK_COMPLETE',
  rollback_failed: 'ROLLBACK_FAILED',
  deleting: 'DELETE_IN_PROGRESS',
  delete_failed: 'DELETE_FAILED',
} as const satisfies Record<CustomImageState, string>;

const BUILD_STATUS = {
  building: 'BUILD_IN_PROGRESS',
  complete: 'BUILD_COMPLETE',
  failed: 'BUILD_FAILED',
  rolling_back: 'BUILD_FAILED',
  rolled_back: 'BUILD_FAILED',
  rollback_failed: 'BUILD_FAILED',
  deleting: 'DELETE_IN_PROGRESS',
  delete_failed: 'DELETE_FAILED',
} as const satisfies Record<CustomImageState, string>;

/** @see EC2, state of an image */
const AMI_STATE = {
  queued: 'PENDING',
  saving: 'PENDING',
  uploading: 'PENDING',
  importing: 'PENDING',
  active: 'AVAILABLE',
  deactivated: 'INVALID',
  pending_delete: 'DEREGISTERED',
  killed: 'FAILED',
  deleted: 'DEREGISTERED',
} as const satisfies Record<ImageStatus, string>;

const BUILDER_STATUS = {
  creating: 'CREATING',
  fetching_recipe: 'CREATING',
  fetching_image: 'CREATING',
  waiting_for_repositories: 'CREATING',
  building: 'BUILDING',
  waiting_on_user: 'BUILDING',
  packaging: 'DISTRIBUTING',
  success: 'AVAILABLE',
  error: 'FAILED',
} as const satisfies Record<JobState, string>;

/** An image in a list. */
export function presentListed({ record, amiId }: ListedCustomImage, dialect: Dialect) {
  return amiId === null ? presentStack(record) : presentFinished(record, amiId, dialect);
}

/** An image that was accepted for building. */
export function presentAccepted({ record }: CustomImageView) {
  return presentStack(record);
}

/** An image whose deletion has begun. */
export function presentDeleting({
  record,
  image,
}: CustomImageView): ReturnType<typeof presentStack> | ReturnType<typeof presentBasics> {
  return image === null ? presentStack(record) : presentBasics(record);
}

/** Everything about an image. @param configurationUrl null: it cannot be had now */
export function presentDescription(view: CustomImageView, configurationUrl: string | null, dialect: Dialect) {
  const { record, image, job } = view;
  const url = configurationUrl ?? NOT_AVAILABLE;
  const imageConfiguration = dialect === 'preview' ? { s3Url: url } : { url };
  if (image !== null && record.state !== 'delete_failed') {
    return {
      ...presentBasics(record),
      imageConfiguration,
      creationTime: image.createdAt.toISOString(),
      ec2AmiInfo: presentAmi(record, image, url),
    };
  }
  return {
    ...presentStack(record),
    imageConfiguration,
    ...presentBuilder(record, job),
    ...(dialect === 'preview' ? {} : presentStackExtras(record, url)),
  };
}

function presentBasics({ name, state, region, version }: CustomImage) {
  return { imageId: name, imageBuildStatus: BUILD_STATUS[state], region, version };
}

function presentStack(record: CustomImage) {
  return {
    ...presentBasics(record),
    cloudformationStackStatus: STACK_STATUS[record.state],
    cloudformationStackArn: stackArn(record),
  };
}

function presentFinished(record: CustomImage, amiId: string, dialect: Dialect) {
  // The preview's client takes no field that it does not know.
  return { ...presentBasics(record), ...(dialect === 'preview' ? {} : { ec2AmiInfo: { amiId } }) };
}

function presentBuilder({ stateReason }: CustomImage, job: Job | null) {
  const reason = stateReason ?? job?.causeMessage ?? null;
  return {
    ...(job === null ? {} : { imagebuilderImageStatus: builderStatus(job) }),
    ...(job?.causeMessage == null ? {} : { imagebuilderImageStatusReason: job.causeMessage }),
    ...(reason === null ? {} : { cloudformationStackStatusReason: reason }),
  };
}

function builderStatus({ status, state }: Job): string {
  if (status === 'queued') return 'PENDING';
  return status === 'cancelled' ? 'CANCELLED' : BUILDER_STATUS[state];
}

function presentStackExtras(record: CustomImage, url: string) {
  return {
    imageBuildLogsArn: logsArn(record),
    cloudformationStackCreationTime: record.createdAt.toISOString(),
    cloudformationStackTags: [...systemTags(record, record.imageName ?? record.name, url), ...record.buildTags].map(
      presentTag,
    ),
  };
}

function presentAmi(record: CustomImage, image: Image, url: string) {
  return {
    amiId: image.amiId,
    amiName: image.name || image.id,
    architecture: image.architecture === 'aarch64' ? 'arm64' : (image.architecture ?? 'x86_64'),
    state: AMI_STATE[image.status],
    description: `AWS ParallelCluster AMI ${record.name}, built by Kiln`,
    tags: [...systemTags(record, record.imageName ?? record.name, url), ...userTags(image)].map(presentTag),
  };
}

/** An image has one map of metadata; what only Kiln writes, and the architecture, are told elsewhere. */
function userTags({ properties }: Image): Tag[] {
  return Object.entries(properties)
    .filter(([key]) => !isReservedProperty(key) && key !== 'architecture')
    .map(([key, value]) => ({ key, value }));
}

function systemTags(record: CustomImage, imageName: string, url: string): Tag[] {
  return Object.entries({
    image_id: record.name,
    version: record.version,
    image_name: imageName,
    build_config: url,
    build_log: logsArn(record),
  }).map(([key, value]) => ({ key: SYSTEM_TAG + key, value }));
}

function presentTag({ key, value }: Tag) {
  return { key, value };
}

export function stackArn(record: CustomImage): string {
  return arn(record, 'cloudformation', `stack/${record.name}/${record.jobId}`);
}

export function logsArn(record: CustomImage): string {
  return arn(record, 'logs', `log-group:/aws/imagebuilder/${CUSTOM_IMAGES_FACE}-${record.name}`);
}

function arn({ projectId, region }: CustomImage, service: string, resource: string): string {
  return `arn:${PARTITION}:${service}:${region}:${accountNumberOf(projectId)}:${resource}`;
}
