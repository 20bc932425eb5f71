// The rules are those of pcluster/schemas/imagebuilder_schema.py of the reference, as its documentation of the file tells them.
import { describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { ConfigurationDocument, meansYes } from './configuration-document.js';

const SMALLEST = { Build: { InstanceType: 'm6i.large', ParentImage: 'ami-0c1d2e3f405162738' } };

/** The faults of a configuration, one text for all. */
function faultsOf(text: string): string {
  try {
    new ConfigurationDocument(text).check();
    return '';
  } catch (error) {
    const { code, details } = error as { code: string; details: { messages: { message: string }[] } };
    expect(code).toBe('custom_images.configuration_invalid');
    expect(details.messages).toEqual([{ level: 'ERROR', type: 'ImageSchemaValidator', message: expect.any(String) }]);
    return details.messages[0]!.message;
  }
}

/** So many keys of a mapping. */
const numbered = (count: number) => Array.from({ length: count }, (_, number) => `k${number}`).join(', ');
const build = (more: object) => stringify({ ...SMALLEST, Build: { ...SMALLEST.Build, ...more } });
const image = (Image: object) => stringify({ ...SMALLEST, Image });

describe('a configuration', () => {
  it('needs no more than an instance type and a parent', () => {
    expect(new ConfigurationDocument(stringify(SMALLEST)).check()).toEqual(SMALLEST);
  });

  it('may say everything that there is to say', () => {
    const everything = {
      Region: 'eu-north-1',
      Image: {
        Name: 'genomics node {v}:1.0',
        Tags: [{ Key: 'team', Value: 'bio' }],
        RootVolume: { Size: 40, Encrypted: true, KmsKeyId: 'key' },
      },
      Build: {
        ...SMALLEST.Build,
        Components: [
          { Type: 'arn', Value: 'arn:aws:imagebuilder:eu-north-1:aws:component/a/1.0.0' },
          { Type: 'script', Value: 'https://example.org/setup.sh' },
          { Type: 'script', Value: 's3://bucket/setup.sh' },
          { Type: 'script', Value: 'file://setup.sh' },
          { Type: 'script', Value: 'data:text/plain;base64,ZWNobw==' },
        ],
        Tags: [{ Key: 'parallelcluster:custom_resource', Value: 'x' }],
        SecurityGroupIds: ['sg-12345678'],
        SubnetId: 'subnet-0123456789abcdef0',
        UpdateOsPackages: { Enabled: true },
        Imds: { ImdsSupport: 'v2.0' },
        Iam: {
          AdditionalIamPolicies: [{ Policy: 'arn:aws:iam::aws:policy/Some' }],
          CleanupLambdaRole: 'arn:aws:iam::1:role/r',
        },
      },
      DevSettings: {
        DisablePclusterComponent: false,
        Cookbook: { ChefCookbook: 'x', ExtraChefAttributes: '{}' },
        NodePackage: 'x',
        AwsBatchCliPackage: 'x',
        CincInstallerUrl: 'x',
        TerminateInstanceOnFailure: true,
        DisableValidateAndTest: true,
        DisableKernelUpdate: true,
        DistributionConfiguration: { Regions: 'a,b', LaunchPermission: '{}' },
      },
      DeploymentSettings: {
        LambdaFunctionsVpcConfig: { SecurityGroupIds: ['sg-12345678'], SubnetIds: ['subnet-12345678'] },
      },
      CustomS3Bucket: 'mine',
    };

    expect(faultsOf(stringify(everything))).toBe('');
    expect(new ConfigurationDocument(stringify(everything)).region).toBe('eu-north-1');
  });

  it.each([
    ['nothing is there', '{}', 'Build: is required'],
    ['the parent is missing', stringify({ Build: { InstanceType: 'x.large' } }), 'Build.ParentImage: is required'],
    ['a key is unknown', stringify({ ...SMALLEST, Bulid: 1 }), 'Bulid: is not known'],
    ['a key deep inside is unknown', build({ Imds: { Support: 'v1.0' } }), 'Build.Imds.Support: is not known'],
    ['a key has another case', stringify({ ...SMALLEST, image: {} }), 'image: is not known'],
    ['a section is empty', `${stringify(SMALLEST)}Image:\n`, 'Image: must be object'],
    ['a number stands for a text', build({ InstanceType: 5 }), 'Build.InstanceType: must be string'],
    ['a date stands for a mapping', `${stringify(SMALLEST)}Image: 2026-01-01\n`, 'Image: must be object'],
    ['a set stands for a mapping', `${stringify(SMALLEST)}DevSettings: !!set {Nope}\n`, 'DevSettings: must be object'],
    ['bytes stand for a mapping', `${stringify(SMALLEST)}Image: !!binary ""\n`, 'Image: must be object'],
    ['a set is merged', `${stringify(SMALLEST)}Image: {<<: !!set {Nope}, Tag: x}\n`, 'Image.Tag: is not known'],
    ['a number is no boolean', build({ UpdateOsPackages: { Enabled: 2 } }), 'Build.UpdateOsPackages.Enabled'],
    ['a boolean stands for a text', image({ Name: true }), 'Image.Name: must be string'],
    ['a date stands for a text', `${stringify(SMALLEST)}Region: 2026-01-01\n`, 'Region: must be string'],
    ['a text stands for a number', image({ RootVolume: { Size: '40' } }), 'Image.RootVolume.Size: must be integer'],
    ['a number has a fraction', image({ RootVolume: { Size: 1.5 } }), 'Image.RootVolume.Size: must be integer'],
    ['a disk is less than nothing', image({ RootVolume: { Size: -1 } }), 'Image.RootVolume.Size: must be >= 0'],
    ['no image can have the disk', image({ RootVolume: { Size: 2 ** 31 } }), 'Image.RootVolume.Size: must be <='],
    ['a word is no boolean', build({ UpdateOsPackages: { Enabled: 'maybe' } }), 'Build.UpdateOsPackages.Enabled'],
    ['the parent is neither', build({ ParentImage: 'img-1' }), 'Build.ParentImage'],
    ['a name is too long', image({ Name: 'x'.repeat(100) }), 'Image.Name'],
    ['a tag has no value', image({ Tags: [{ Key: 'a' }] }), 'Image.Tags.0.Value: is required'],
    ['the key of a tag is too long', build({ Tags: [{ Key: 'k'.repeat(129), Value: '' }] }), 'Build.Tags.0.Key'],
    ['the value of a tag is too long', build({ Tags: [{ Key: 'k', Value: 'v'.repeat(257) }] }), 'Build.Tags.0.Value'],
    ['a tag is reserved', image({ Tags: [{ Key: 'parallelcluster:version', Value: '' }] }), 'Image.Tags.0.Key'],
    ['a tag is an attribute', image({ Tags: [{ Key: 'owner', Value: '' }] }), 'Image.Tags.0.Key'],
    ['a tag is no id of an image', image({ Tags: [{ Key: 'kernel_id', Value: 'x' }] }), 'Image.Tags.0.Value'],
    [
      'a tag has another word',
      image({ Tags: [{ Key: 'cinder_encryption_key_deletion_policy', Value: 'x' }] }),
      'Image.Tags.0.Value',
    ],
    ['a tag is one of Kiln', image({ Tags: [{ Key: 'kiln_official_os', Value: 'rocky9' }] }), 'Image.Tags.0.Key'],
    ['a text cannot be kept', `${stringify(SMALLEST)}CustomS3Bucket: "a\\0"\n`, 'CustomS3Bucket'],
    ['a component is of no type', build({ Components: [{ Type: 'ansible', Value: 'x' }] }), 'Build.Components.0.Type'],
    ['a component is no arn', build({ Components: [{ Type: 'arn', Value: 'x' }] }), 'Build.Components.0.Value'],
    [
      'a script is fetched in the clear',
      build({ Components: [{ Type: 'script', Value: 'http://example.org/x' }] }),
      'Build.Components.0.Value',
    ],
    [
      'a script in the address is broken',
      build({ Components: [{ Type: 'script', Value: 'data:text/plain;base64,%%' }] }),
      'Build.Components.0.Value',
    ],
    ['a group is none', build({ SecurityGroupIds: ['sg-1'] }), 'Build.SecurityGroupIds.0'],
    ['a subnet is none', build({ SubnetId: 'subnet-ABCDEF12' }), 'Build.SubnetId'],
    ['a version is unknown', build({ Imds: { ImdsSupport: 'v3.0' } }), 'Build.Imds.ImdsSupport'],
    ['a role is a policy', build({ Iam: { InstanceRole: 'arn:aws:iam::1:policy/x' } }), 'Build.Iam.InstanceRole'],
    [
      'a role and a profile are given',
      build({ Iam: { InstanceRole: 'arn:aws:iam::1:role/x', InstanceProfile: 'arn:aws:iam::1:instance-profile/x' } }),
      'Build.Iam: only one of',
    ],
    [
      'a network has no subnet',
      stringify({
        ...SMALLEST,
        DeploymentSettings: { LambdaFunctionsVpcConfig: { SecurityGroupIds: ['sg-12345678'], SubnetIds: [] } },
      }),
      'DeploymentSettings.LambdaFunctionsVpcConfig.SubnetIds',
    ],
  ])('is refused when %s', (_why, text, place) => {
    expect(faultsOf(text)).toContain(place);
  });

  it('is told every fault at once', () => {
    const faults = faultsOf(stringify({ A: 1, Build: { InstanceType: 1, ParentImage: 'x', B: 2 } }));

    for (const place of ['A', 'Build.InstanceType', 'Build.ParentImage', 'Build.B']) expect(faults).toContain(place);
  });

  it.each([
    ['yes', true],
    ['Yes', true],
    ['ON', true],
    ['y', true],
    ['"t"', true],
    ['1', true],
    ['no', false],
    ['Off', false],
    ['N', false],
    ['"FALSE"', false],
    ['0', false],
  ])('may say %s for %p', (word, meaning) => {
    const text = `Build: {InstanceType: m6i.large, ParentImage: ami-1, UpdateOsPackages: {Enabled: ${word}}}`;

    expect(meansYes(new ConfigurationDocument(text).check().Build.UpdateOsPackages?.Enabled)).toBe(meaning);
  });

  it.each(['y', 'Y', 'n', 'N'])('takes %s for a text, as PyYAML does', (letter) => {
    const text = `Build: {InstanceType: m6i.large, ParentImage: ami-1, Tags: [{Key: k, Value: ${letter}}]}`;

    expect(new ConfigurationDocument(text).check().Build.Tags).toEqual([{ Key: 'k', Value: letter }]);
  });

  it('may name a thing once and use it again', () => {
    const tags = '[{Key: a, Value: b}]';
    const text = `Image: {Tags: &tags ${tags}}\nBuild: {InstanceType: m6i.large, ParentImage: ami-1, Tags: *tags}`;

    expect(faultsOf(text)).toBe('');
  });

  it.each([
    ['no YAML', 'a: [1'],
    ['a key twice', 'Build: 1\nBuild: 2'],
    ['a text', 'hello'],
    ['a list', '- 1'],
    ['a date', '2026-01-01'],
    ['a set', '!!set {Build}'],
    ['nothing', ''],
    ['several documents', 'a: 1\n---\nb: 2'],
    ['a nest without an end', '['.repeat(20_000)],
    ['more than anybody writes', `a: [${'1,'.repeat(20_000)}]`],
    ['more than it seems', `Build: {Components: [&a {${numbered(500)}}${', *a'.repeat(60)}]}`],
    ['more text than it seems', `a: [&a ${'x'.repeat(50_000)}${', *a'.repeat(60)}]`],
    [
      'more text in keys than it seems',
      `a: [&a {${'x'.repeat(1_000)}: 1, ${'y'.repeat(50_000)}: 1}${', *a'.repeat(60)}]`,
    ],
    ['aliases without an end', `a: [&a 1${', *a'.repeat(101)}]`],
    ['part of itself', 'a: &a [*a]'],
  ])('is none: %s', (_what, text) => {
    const document = new ConfigurationDocument(text);

    expect(document.region).toBeUndefined();
    expect(() => document.check()).toThrow(expect.objectContaining({ code: 'custom_images.configuration_unreadable' }));
  });
});
