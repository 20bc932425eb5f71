/** Text that can be kept. */
const text = { type: 'string', pattern: '^[^\\u0000\\p{Surrogate}]*$' } as const;
const inEachCase = (words: readonly string[]) =>
  words.flatMap((word) => [word, word[0]!.toUpperCase() + word.slice(1), word.toUpperCase()]);
/** What stands for yes beside YAML's own boolean. @see marshmallow 3, `fields.Boolean` */
export const YES: readonly unknown[] = [true, 1, '1', ...new Set(inEachCase(['true', 't', 'yes', 'y', 'on']))];
const NO: readonly unknown[] = [false, 0, '0', ...new Set(inEachCase(['false', 'f', 'no', 'n', 'off']))];
const boolean = { enum: [...YES, ...NO] } as const;

const matching = (pattern: string) => ({ allOf: [text, { type: 'string', pattern }] });
const list = (items: object, minItems = 0, maxItems = 1_000) => ({ type: 'array', items, minItems, maxItems });
const mapping = (properties: Readonly<Record<string, object>>, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const tags = (maximum: number) =>
  list(
    mapping({ Key: { ...text, minLength: 1, maxLength: 128 }, Value: { ...text, maxLength: 256 } }, ['Key', 'Value']),
    0,
    maximum,
  );
const securityGroup = matching('^sg-([0-9a-z]{8}|[0-9a-z]{17})$');
const subnet = matching('^subnet-([0-9a-z]{8}|[0-9a-z]{17})$');
const arnOf = (kind: string) => matching(`^arn:.*:${kind}/`);

/** Beside the architecture, which is one of the properties that an image may have. */
const IMAGE_TAGS_MAX = 127;
/** What an image can have as its least disk; what volumes can have is a validator's to say. */
const VOLUME_GIB_MAX = 2 ** 31 - 1;

/**
 * The shape of an image configuration: what is not named is not known.
 * @see AWS ParallelCluster 3.12, pcluster/schemas/imagebuilder_schema.py
 */
export const CONFIGURATION_SCHEMA = mapping(
  {
    Region: text,
    Image: mapping({
      // The builder of the reference puts a date of 29 characters behind it, and may have 128.
      Name: { ...text, maxLength: 99 },
      Tags: tags(IMAGE_TAGS_MAX),
      RootVolume: mapping({
        Size: { type: 'integer', minimum: 0, maximum: VOLUME_GIB_MAX },
        Encrypted: boolean,
        KmsKeyId: text,
      }),
    }),
    Build: mapping(
      {
        InstanceType: text,
        ParentImage: matching('^(ami|arn)'),
        Components: list(mapping({ Type: { enum: ['arn', 'script'] }, Value: text }, ['Type', 'Value'])),
        Tags: tags(IMAGE_TAGS_MAX),
        SecurityGroupIds: list(securityGroup),
        SubnetId: subnet,
        UpdateOsPackages: mapping({ Enabled: boolean }),
        Imds: mapping({ ImdsSupport: { enum: ['v1.0', 'v2.0'] } }),
        Iam: mapping({
          InstanceRole: arnOf('role'),
          CleanupLambdaRole: arnOf('role'),
          InstanceProfile: arnOf('instance-profile'),
          AdditionalIamPolicies: list(mapping({ Policy: arnOf('policy') }, ['Policy'])),
          PermissionsBoundary: arnOf('policy'),
        }),
      },
      ['InstanceType', 'ParentImage'],
    ),
    DevSettings: mapping({
      DisablePclusterComponent: boolean,
      Cookbook: mapping({ ChefCookbook: text, ExtraChefAttributes: text }),
      NodePackage: text,
      AwsBatchCliPackage: text,
      CincInstallerUrl: text,
      TerminateInstanceOnFailure: boolean,
      DisableValidateAndTest: boolean,
      DisableKernelUpdate: boolean,
      DistributionConfiguration: mapping({ Regions: text, LaunchPermission: text }),
    }),
    DeploymentSettings: mapping({
      LambdaFunctionsVpcConfig: mapping(
        { SecurityGroupIds: list(securityGroup, 1, 5), SubnetIds: list(subnet, 1, 16) },
        ['SecurityGroupIds', 'SubnetIds'],
      ),
    }),
    CustomS3Bucket: text,
  },
  ['Build'],
);
