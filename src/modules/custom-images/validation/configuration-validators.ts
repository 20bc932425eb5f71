import { Injectable } from '@nestjs/common';
import { KilnError } from '../../../common/errors.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import { Log } from '../../../platform/logging/log.js';
import { type Address, ArtifactsService, formatAddress } from '../../artifacts/index.js';
import type { ImageRoot } from '../../images/index.js';
import { meansYes } from '../configuration/configuration-document.js';
import type { ConfiguredComponent, ImageConfiguration } from '../configuration/image-configuration.js';
import { shapeOf } from '../configuration/instance-type.js';
import { objectOf } from '../configuration/script-address.js';
import type { BuildCustomImage } from '../custom-images.types.js';
import type { ValidationLevel, ValidationMessage } from './validation.js';

/** What a configuration is looked at with. */
export interface ValidationContext {
  readonly configuration: ImageConfiguration;
  readonly projectId: string;
  readonly region: string;
  /** Null: there is no such image for the project. */
  readonly parent: ImageRoot | null;
}

type Finding = readonly [level: ValidationLevel, message: string];
type Validator = (context: ValidationContext) => Promise<readonly Finding[]> | readonly Finding[];

const COMPONENTS_MAX = 15;
/** All addresses of a configuration together. */
const ADDRESSES_MS = 3_000;
const GIB = 2 ** 30;
/** Sizes in GiB of the one type of volume that roots are on. */
const VOLUME_GIB = { minimum: 1, maximum: 16_384 };
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Looks at what a configuration means. What it names is looked up; what Kiln has nothing like is told, and otherwise ignored. */
@Injectable()
export class ConfigurationValidators {
  /** By the names under which users know and suppress them. */
  private readonly validators: Readonly<Record<string, Validator>> = {
    InstanceTypeBaseAMICompatibleValidator: checkParent,
    ComponentsValidator: (context) => this.checkComponents(context),
    UrlValidator: (context) => this.checkAddresses(context),
    AMIVolumeSizeValidator: checkVolumeOfParent,
    EbsVolumeTypeSizeValidator: checkVolume,
    S3BucketValidator: checkBucket,
    UnsupportedOptionValidator: tellUnsupported,
  };

  constructor(
    private readonly artifacts: ArtifactsService,
    private readonly egress: EgressClient,
    private readonly log: Log,
  ) {}

  /**
   * Everything that is found, in the order of the validators.
   * @param suppressed names of validators that do not run
   */
  async run(context: ValidationContext, suppressed: BuildCustomImage['suppressed']): Promise<ValidationMessage[]> {
    if (suppressed === 'all') return [];
    const messages: ValidationMessage[] = [];
    for (const [type, validator] of Object.entries(this.validators)) {
      if (suppressed.has(type)) continue;
      for (const [level, message] of await this.findingsOf(type, validator, context)) {
        messages.push({ level, type, message });
      }
    }
    return messages;
  }

  private async findingsOf(type: string, validator: Validator, context: ValidationContext) {
    try {
      return await validator(context);
    } catch (error) {
      const isExpected = error instanceof KilnError;
      if (!isExpected) this.log.error('a validator failed unexpectedly', { error, validator: type });
      const message = isExpected ? error.message : 'It could not be looked at; the log of the server says why';
      return [['ERROR', message] satisfies Finding];
    }
  }

  private async checkComponents(context: ValidationContext): Promise<Finding[]> {
    const components = context.configuration.Build.Components ?? [];
    const findings: Finding[] = [];
    if (components.length > COMPONENTS_MAX) {
      findings.push([
        'ERROR',
        `Number of build components is ${components.length}. It's not possible to specify more than ${COMPONENTS_MAX} build components.`,
      ]);
    }
    for (const component of components.slice(0, COMPONENTS_MAX)) {
      if (component.Type !== 'arn') continue;
      const address = objectOf(component, context.projectId, context.region);
      if (address && (await this.isThere(context.projectId, address))) continue;
      findings.push(['ERROR', `There is no component ${component.Value}`]);
    }
    return findings;
  }

  private async checkAddresses({ configuration, projectId, region }: ValidationContext): Promise<Finding[]> {
    const scripts = (configuration.Build.Components ?? []).filter(({ Type }) => Type === 'script');
    const signal = AbortSignal.timeout(ADDRESSES_MS);
    const found = await Promise.all(
      scripts.slice(0, COMPONENTS_MAX).map((script) => this.checkAddress(script, projectId, region, signal)),
    );
    return found.filter((finding) => finding !== null);
  }

  private async checkAddress(
    script: ConfiguredComponent,
    projectId: string,
    region: string,
    signal: AbortSignal,
  ): Promise<Finding | null> {
    const object = objectOf(script, projectId, region);
    if (object) {
      const isThere = await this.isThere(projectId, object);
      return isThere ? null : ['WARNING', `There is no object at ${formatAddress(object)}`];
    }
    if (!/^https:/i.test(script.Value)) return null;
    try {
      (await this.egress.get(script.Value, { signal })).body.destroy();
      return null;
    } catch (error) {
      const reason = error instanceof KilnError ? error.message : 'it did not answer in time';
      return ['WARNING', `The url ${withoutSecrets(script.Value)} cannot be used: ${reason}`];
    }
  }

  /** What a delete has moved is not there any more. */
  private async isThere(projectId: string, { bucket, key }: Address): Promise<boolean> {
    const artifact = await this.artifacts.find(projectId, bucket, key);
    return artifact !== null && artifact.movedFromKey === null;
  }
}

function checkParent({ configuration, parent }: ValidationContext): Finding[] {
  const { InstanceType, ParentImage } = configuration.Build;
  const shape = shapeOf(InstanceType);
  return [
    ...(shape ? [] : [['ERROR', `The instance type '${InstanceType.slice(0, 100)}' is not supported`] as const]),
    ...parentFindings(ParentImage, parent, shape?.arch ?? null, InstanceType),
  ];
}

function parentFindings(
  reference: string,
  parent: ImageRoot | null,
  arch: 'x86_64' | 'aarch64' | null,
  instanceType: string,
): Finding[] {
  const name = reference.slice(0, 200);
  if (!parent) return [['ERROR', `The image '${name}' does not exist, or it is not for this project`]];
  if (!parent.rootfs) {
    return [['ERROR', `The image '${name}' has no root file system artifact, so that nothing can be built upon it`]];
  }
  const parentArch = archOf(parent);
  if (arch === null || parentArch === arch) return [];
  return [
    [
      'ERROR',
      `AMI ${parent.image.amiId}'s architecture (${wireArch(parentArch)}) is incompatible with the architecture supported by the ` +
        `instance type ${instanceType} chosen (${wireArch(arch)}). Use either a different AMI or a different instance type.`,
    ],
  ];
}

function archOf({ image: { architecture } }: ImageRoot): string {
  if (architecture === null || architecture === '' || architecture === 'amd64') return 'x86_64';
  return architecture === 'arm64' ? 'aarch64' : architecture;
}

function wireArch(arch: string): string {
  return arch === 'aarch64' ? 'arm64' : arch;
}

function checkVolumeOfParent({ configuration, parent }: ValidationContext): Finding[] {
  const size = configuration.Image?.RootVolume?.Size;
  if (size === undefined || parent === null) return [];
  const { minDiskGib, virtualSizeBytes, amiId } = parent.image;
  const needed = Math.max(minDiskGib, Math.ceil((virtualSizeBytes ?? 0) / GIB));
  return size >= needed
    ? []
    : [['ERROR', `Root volume size ${size} is less than the minimum required size ${needed} of parent image ${amiId}`]];
}

function checkVolume({ configuration }: ValidationContext): Finding[] {
  const size = configuration.Image?.RootVolume?.Size;
  const { minimum, maximum } = VOLUME_GIB;
  if (size === undefined || (size >= minimum && size <= maximum)) return [];
  return [['ERROR', `The size of the root volume must be ${minimum} to ${maximum} GiB, not ${size}`]];
}

function checkBucket({ configuration: { CustomS3Bucket } }: ValidationContext): Finding[] {
  if (CustomS3Bucket === undefined || BUCKET.test(CustomS3Bucket)) return [];
  return [['ERROR', `The bucket '${CustomS3Bucket.slice(0, 100)}' cannot be used: that is no name of a bucket`]];
}

function tellUnsupported({ configuration }: ValidationContext): Finding[] {
  const { Image, Build, DevSettings, DeploymentSettings } = configuration;
  const options: Readonly<Record<string, boolean>> = {
    'Build.SubnetId': Build.SubnetId !== undefined,
    'Build.SecurityGroupIds': Build.SecurityGroupIds !== undefined,
    'Build.Iam': Build.Iam !== undefined,
    'Build.Imds': Build.Imds !== undefined,
    'Image.RootVolume.KmsKeyId': Image?.RootVolume?.KmsKeyId !== undefined,
    'Image.RootVolume.Encrypted': meansYes(Image?.RootVolume?.Encrypted as boolean | string | undefined),
    DevSettings: DevSettings !== undefined,
    DeploymentSettings: DeploymentSettings !== undefined,
  };
  return Object.keys(options)
    .filter((option) => options[option])
    .map((option) => ['INFO', `${option} is kept, and has no effect here`] as const);
}

/** An address as others may read it. */
function withoutSecrets(url: string): string {
  return url
    .replace(/^(\w+:\/\/)[^/@]*@/, '$1')
    .replace(/[?#].*$/s, '')
    .slice(0, 300);
}
