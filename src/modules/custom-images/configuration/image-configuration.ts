/** A label as configurations write it. */
export interface ConfiguredTag {
  readonly Key: string;
  readonly Value: string;
}

/** A step of a build: a script, or the name of one that is stored. */
export interface ConfiguredComponent {
  readonly Type: 'arn' | 'script';
  readonly Value: string;
}

/**
 * An image configuration that keeps to its schema. Parts of which Kiln only knows whether they are there are `unknown`.
 * @see AWS ParallelCluster, "Build image configuration files"
 */
export interface ImageConfiguration {
  readonly Region?: string;
  readonly Image?: {
    readonly Name?: string;
    readonly Tags?: readonly ConfiguredTag[];
    readonly RootVolume?: { readonly Size?: number; readonly Encrypted?: unknown; readonly KmsKeyId?: string };
  };
  readonly Build: {
    readonly InstanceType: string;
    readonly ParentImage: string;
    readonly Components?: readonly ConfiguredComponent[];
    readonly Tags?: readonly ConfiguredTag[];
    readonly SecurityGroupIds?: unknown;
    readonly SubnetId?: unknown;
    readonly UpdateOsPackages?: { readonly Enabled?: boolean | number | string };
    readonly Imds?: unknown;
    readonly Iam?: unknown;
  };
  readonly DevSettings?: unknown;
  readonly DeploymentSettings?: unknown;
  readonly CustomS3Bucket?: string;
}
