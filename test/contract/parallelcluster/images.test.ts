// Statuses, bodies and their order are those that the reference's controller tests expect of its image operations.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients as imageClients } from '../glance/wire.js';
import { amiOf, aParent, ask, type Client, clients, configurationOf, SIGNING_BOOTSTRAP } from './wire.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let kiln: RunningKiln;
let alice: Client;
let bob: Client;
let rita: Client;
let parent: string;
let disk: string;

beforeAll(async () => {
  kiln = await startKiln({
    env: {
      KILN_ROLE: 'api',
      KILN_PARALLELCLUSTER_REGIONS: 'us-east-1,eu-north-1,ap-south-1',
      KILN_PARALLELCLUSTER_PAGE_SIZE: '2',
    },
    bootstrap: SIGNING_BOOTSTRAP,
  });
  ({ alice, bob, rita } = clients(kiln));
  parent = await aParent(kiln, 'alice');
  disk = amiOf((await (await imageClients(kiln)).alice.createWithData(Buffer.from('x'), { name: 'disk' })).id);
});

afterAll(() => kiln?.stop());

/** A configuration that nothing is wrong with. */
const aConfiguration = (build: object = {}, more: object = {}) => configurationOf(parent, build, more);

let numbers = 0;
const aName = () => `image-${(numbers += 1)}`;
const build = (client: Client, imageId: string, imageConfiguration = aConfiguration(), query = '') =>
  client.build({ imageId, imageConfiguration }, query);

const badRequest = (...parts: string[]) => ({
  message: expect.stringMatching(new RegExp(`^Bad Request: .*${parts.join('.*')}`, 's')),
});

describe('a build', () => {
  it('is accepted, described and listed, and its configuration can be read', async () => {
    const name = aName();
    const text = aConfiguration(
      { Tags: [{ Key: 'cost', Value: '1' }], SubnetId: 'subnet-12345678' },
      {
        Region: 'eu-north-1',
        Image: { Name: 'node', Tags: [{ Key: 'team', Value: 'bio' }], RootVolume: { Size: 40 } },
      },
    );
    const accepted = await build(alice, name, text);

    expect(accepted.status).toBe(202);
    const { cloudformationStackArn } = accepted.body.image;
    expect(cloudformationStackArn).toMatch(
      new RegExp(`^arn:aws:cloudformation:eu-north-1:\\d{12}:stack/${name}/[0-9a-f-]{36}$`),
    );
    const summary = {
      imageId: name,
      imageBuildStatus: 'BUILD_IN_PROGRESS',
      cloudformationStackStatus: 'CREATE_IN_PROGRESS',
      cloudformationStackArn,
      region: 'eu-north-1',
      version: '3.12.0',
    };
    const told = {
      id: expect.any(String),
      type: 'UnsupportedOptionValidator',
      level: 'INFO',
      message: expect.any(String),
    };
    expect(accepted.body).toEqual({ image: summary, validationMessages: [told] });

    const { body } = await alice.get(`/custom/${name}?region=eu-north-1`);
    expect(body).toEqual({
      ...summary,
      imageConfiguration: { url: expect.stringContaining('/artifacts/parallelcluster/') },
      imagebuilderImageStatus: 'PENDING',
      imageBuildLogsArn: expect.stringContaining(`:log-group:/aws/imagebuilder/parallelcluster-${name}`),
      cloudformationStackCreationTime: expect.stringMatching(TIME),
      cloudformationStackTags: expect.arrayContaining([
        { key: 'parallelcluster:image_id', value: name },
        { key: 'parallelcluster:image_name', value: 'node' },
        { key: 'cost', value: '1' },
      ]),
    });
    const url = new URL(body.imageConfiguration.url as string);
    const read = (search: string) => fetch(`${kiln.url}${url.pathname}${search}`);
    expect(await (await read(url.search)).text()).toBe(text);
    expect((await read(url.search.replace(/expires=\d+/, 'expires=9999999999'))).status).toBe(401);
    expect((await read('')).status).toBe(401);

    expect((await alice.get('/custom?imageStatus=PENDING&region=eu-north-1')).body).toEqual({ images: [summary] });
    expect((await alice.get('/custom?imageStatus=AVAILABLE&region=eu-north-1')).body).toEqual({ images: [] });
    expect((await alice.get('/custom?imageStatus=FAILED&region=eu-north-1')).body).toEqual({ images: [] });
  });

  it('is no more than announced in a dry run', async () => {
    const name = aName();
    for (const word of ['true', 'True', 'TRUE']) {
      expect(await build(alice, name, undefined, `?dryrun=${word}`)).toMatchObject({
        status: 412,
        body: { message: 'Request would have succeeded, but DryRun flag is set.' },
      });
    }
    const told = await build(alice, name, aConfiguration({ Imds: { ImdsSupport: 'v1.0' } }), '?dryrun=true');
    expect(told.body.validationMessages).toMatchObject([{ level: 'INFO', type: 'UnsupportedOptionValidator' }]);
    expect((await alice.get(`/custom/${name}`)).status).toBe(404);
    expect((await build(alice, name, '{}', '?dryrun=true')).status).toBe(400);
  });

  it('takes its name in its project and region, before its configuration is read', async () => {
    const name = aName();
    expect((await build(alice, name)).status).toBe(202);

    for (const text of [aConfiguration(), 'no: [yaml', '{}']) {
      expect(await build(alice, name, text)).toMatchObject({
        status: 409,
        body: { message: expect.stringContaining(name) },
      });
    }
    expect((await build(alice, name, undefined, '?dryrun=true')).status).toBe(409);
    expect((await build(alice, name, undefined, '?region=eu-north-1')).status).toBe(202);
    expect((await build(bob, name, aConfiguration({ ParentImage: await aParent(kiln, 'bob') }))).status).toBe(202);
  });

  it('takes its name once, however many ask at once', async () => {
    const name = aName();

    const answers = await Promise.all(Array.from({ length: 6 }, () => build(alice, name)));

    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409]);
  });

  it.each([
    ['no body', undefined, '', badRequest('[Bb]ody')],
    ['text', '"text"', '', badRequest('object')],
    ['no JSON', '{', '', badRequest()],
    ['a nest without an end', `{"imageId":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, '', badRequest('nested')],
    ['no name', { imageConfiguration: 'x' }, '', badRequest('imageId', 'required')],
    ['no configuration', { imageId: 'name' }, '', badRequest('imageConfiguration', 'required')],
    ['an empty configuration', { imageId: 'name', imageConfiguration: '' }, '', badRequest('imageConfiguration')],
    ['a number', { imageId: 5, imageConfiguration: 'x' }, '', badRequest('5', 'string', 'imageId')],
    ['a name that begins wrong', { imageId: '1name', imageConfiguration: 'x' }, '', badRequest('1name', 'a-zA-Z')],
    ['a name of one letter', { imageId: 'a', imageConfiguration: 'x' }, '', badRequest(`'a'`)],
    [
      'a word that is no boolean',
      { imageId: 'name', imageConfiguration: 'x' },
      '?dryrun=1',
      badRequest('boolean', 'dryrun'),
    ],
    [
      'a level in lower case',
      { imageId: 'name', imageConfiguration: 'x' },
      '?validationFailureLevel=error',
      badRequest(`'error'`, 'WARNING'),
    ],
    ['a suppression', { imageId: 'name', imageConfiguration: 'x' }, '?suppressValidators=Foo', badRequest('Foo')],
    [
      'a suppression twice',
      { imageId: 'name', imageConfiguration: 'x' },
      '?suppressValidators=ALL&suppressValidators=ALL',
      badRequest('unique'),
    ],
    [
      'a suppression of one validator twice',
      { imageId: 'name', imageConfiguration: 'x' },
      '?suppressValidators=type:A&suppressValidators=type:A',
      badRequest('unique'),
    ],
    ['an unknown region', { imageId: 'name', imageConfiguration: 'x' }, '?region=mars', badRequest(`'mars'`)],
    ['two regions', { imageId: 'name', imageConfiguration: 'Region: a' }, '?region=us-east-1', badRequest('region')],
    ['no YAML', { imageId: 'name', imageConfiguration: 'a: [' }, '', badRequest('YAML')],
    ['no mapping', { imageId: 'name', imageConfiguration: 'text' }, '', badRequest('mapping')],
    [
      'more values than it seems',
      { imageId: 'name', imageConfiguration: `a: [&a [${'1,'.repeat(900)}]${', *a'.repeat(90)}]` },
      '',
      badRequest('aliases'),
    ],
  ])('is refused for %s', async (_what, body, query, expected) => {
    expect(await alice.build(body, query)).toMatchObject({ status: 400, body: expected });
  });

  it('is refused for a name that is too long, a body of another type, and one too large', async () => {
    const long = await build(alice, 'a'.repeat(129));
    expect(long.status).toBe(400);
    expect(long.body.message).not.toMatch(/^Bad Request/);
    const token = { 'x-auth-token': await kiln.token('alice') };
    const typed = { ...token, 'content-type': 'text/plain' };
    expect(await ask(kiln, 'POST', '/v3/images/custom', { headers: typed, body: '{}' })).toMatchObject({
      status: 415,
      body: { message: expect.stringContaining('text/plain') },
    });
    const large = { imageId: 'name', imageConfiguration: 'x'.repeat(2 ** 20) };
    expect((await alice.build(large)).status).toBe(413);
  });

  it('is refused for its configuration, with every finding', async () => {
    const shape = await build(alice, aName(), stringify({ Build: { ParentImage: 5 }, More: 1 }));
    expect(shape).toMatchObject({
      status: 400,
      body: {
        message: 'Invalid image configuration.',
        configurationValidationErrors: [{ level: 'ERROR', type: 'ImageSchemaValidator' }],
      },
    });
    const { message } = shape.body.configurationValidationErrors[0];
    for (const place of ['More', 'Build.InstanceType', 'Build.ParentImage']) expect(message).toContain(place);
    expect(await build(alice, aName(), '{}', '?suppressValidators=ALL')).toMatchObject({
      status: 400,
      body: { message: 'Invalid image configuration.' },
    });
  });

  it.each([
    ['an unknown parent', { ParentImage: 'ami-00000000000000000' }, 'InstanceTypeBaseAMICompatibleValidator'],
    [
      'an arn of nothing',
      { ParentImage: 'arn:aws:imagebuilder:us-east-1:aws:image/x/x.x.x' },
      'InstanceTypeBaseAMICompatibleValidator',
    ],
    ['another architecture', { InstanceType: 'm6g.large' }, 'InstanceTypeBaseAMICompatibleValidator'],
    ['an unknown type', { InstanceType: 'huge' }, 'InstanceTypeBaseAMICompatibleValidator'],
    [
      'too many components',
      { Components: Array(16).fill({ Type: 'script', Value: 'data:;base64,eA==' }) },
      'ComponentsValidator',
    ],
    ['an unknown component', { Components: [{ Type: 'arn', Value: 'arn:aws:x' }] }, 'ComponentsValidator'],
  ])('is refused for %s', async (_what, wrong, type) => {
    const { status, body } = await build(alice, aName(), aConfiguration(wrong));

    expect({ status, message: body.message }).toEqual({ status: 400, message: 'Configuration is invalid' });
    expect(body.configurationValidationErrors).toContainEqual(expect.objectContaining({ level: 'ERROR', type }));
  });

  it('is refused for a parent without a root file system, another project’s, and a volume too small or too large', async () => {
    const findings = async (text: string) =>
      (await build(alice, aName(), text)).body.configurationValidationErrors.map((one: any) => [one.type, one.message]);

    expect(await findings(aConfiguration({ ParentImage: disk }))).toEqual([
      ['InstanceTypeBaseAMICompatibleValidator', expect.stringContaining('root file system')],
    ]);
    expect(await findings(aConfiguration({ ParentImage: await aParent(kiln, 'bob') }))).toEqual([
      ['InstanceTypeBaseAMICompatibleValidator', expect.stringContaining('does not exist')],
    ]);
    const volume = (Size: number) => aConfiguration({}, { Image: { RootVolume: { Size } } });
    expect(await findings(volume(0))).toEqual([
      ['AMIVolumeSizeValidator', expect.any(String)],
      ['EbsVolumeTypeSizeValidator', expect.any(String)],
    ]);
    expect(await findings(volume(20_000))).toEqual([['EbsVolumeTypeSizeValidator', expect.any(String)]]);
    expect((await build(alice, aName(), volume(2 ** 31), '?suppressValidators=ALL')).status).toBe(400);
  });

  it('may say what is not to be looked at, and what is grave', async () => {
    const text = aConfiguration({
      InstanceType: 'm6g.large',
      Components: [{ Type: 'script', Value: 'https://127.0.0.1/setup.sh' }],
    });
    const type = (name: string) => `suppressValidators=type:${name}`;

    const warned = await build(alice, aName(), text, `?${type('InstanceTypeBaseAMICompatibleValidator')}`);
    expect(warned).toMatchObject({
      status: 202,
      body: { validationMessages: [{ type: 'UrlValidator', level: 'WARNING' }] },
    });
    const strict = `?validationFailureLevel=WARNING&${type('InstanceTypeBaseAMICompatibleValidator')}`;
    expect((await build(alice, aName(), text, strict)).body.configurationValidationErrors).toHaveLength(1);
    const silent = await build(alice, aName(), text, '?suppressValidators=ALL');
    expect([silent.status, silent.body.validationMessages]).toEqual([202, undefined]);
    expect((await build(alice, aName(), text, `?${type('ALL')}`)).status).toBe(400);
    expect((await build(alice, aName(), text, `?suppressValidators=ALL&${type('ALL')}`)).status).toBe(202);
    const nothing = aConfiguration({ ParentImage: 'ami-00000000000000000' });
    expect(await build(alice, aName(), nothing, '?suppressValidators=ALL')).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/^ParentImage 'ami-0{17}'/) },
    });
  });

  it.each([
    ['too many scripts', Array(21).fill({ Type: 'script', Value: 'data:;base64,eA==' }), /^21 scripts/],
    ['an address of nothing', [{ Type: 'script', Value: 'file:///' }], /^s3:.* is not an address/],
  ])('is refused for %s as for the rest of its configuration, if nobody looks', async (_what, Components, message) => {
    const refused = await build(alice, aName(), aConfiguration({ Components }), '?suppressValidators=ALL');

    expect(refused).toMatchObject({ status: 400, body: { message: expect.stringMatching(message) } });
  });

  it('is not for those who may only read', async () => {
    const name = aName();

    expect(await build(rita, name)).toMatchObject({ status: 401, body: { message: expect.any(String) } });
    expect((await build(alice, name)).status).toBe(202);
    expect((await rita.get(`/custom/${name}`)).status).toBe(200);
    expect((await rita.delete(`/custom/${name}`)).status).toBe(401);
    // Nor are they told what else is wrong.
    expect((await rita.build('{', '?dryrun=x')).status).toBe(401);
    expect((await rita.delete('/custom/1wrong?force=x')).status).toBe(401);
  });

  it('is not deleted while it runs, even with force', async () => {
    const name = aName();
    await build(alice, name);

    for (const query of ['', '?force=True']) {
      expect(await alice.delete(`/custom/${name}${query}`)).toMatchObject({ status: 400, body: badRequest(name) });
    }
    expect((await alice.delete(`/custom/${name}?force=x`)).status).toBe(400);
  });
});

describe('another project’s image, or none', () => {
  it.each([
    ['GET', (client: Client, name: string) => client.get(`/custom/${name}`)],
    ['DELETE', (client: Client, name: string) => client.delete(`/custom/${name}`)],
  ])('is not there for %s', async (_method, send) => {
    const name = aName();
    await build(alice, name);

    for (const [client, wanted] of [
      [bob, name],
      [alice, 'none-such'],
    ] as const) {
      expect(await send(client, wanted)).toMatchObject({
        status: 404,
        body: { message: expect.stringContaining(wanted) },
      });
    }
    expect((await send(alice, '1wrong')).body).toEqual(badRequest('1wrong'));
    expect(await send(alice, 'a'.repeat(128))).toMatchObject({ status: 404 });
    expect(await send(alice, 'a'.repeat(129))).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/^Image id .* 128 is the most$/) },
    });
    expect((await send(alice, `${name}?region=mars`)).body).toEqual(badRequest(`'mars'`));
  });
});

describe('a list', () => {
  it('comes in pages, newest first, which follow on each other', async () => {
    const mine = await aParent(kiln, 'bob');
    const names = [aName(), aName(), aName()];
    for (const name of names) await build(bob, name, aConfiguration({ ParentImage: mine }), '?region=eu-north-1');
    const page = '/custom?region=eu-north-1&imageStatus=PENDING';

    const first = (await bob.get(page)).body;
    const second = (await bob.get(`${page}&nextToken=${first.nextToken}`)).body;

    const ids = [...first.images, ...second.images].map(({ imageId }) => imageId);
    expect(ids).toEqual(names.reverse());
    expect(second.nextToken).toBeUndefined();
    for (const [client, query] of [
      [bob, page.replace('PENDING', 'FAILED')],
      [bob, page.replace('eu-north-1', 'us-east-1')],
      [alice, page],
    ] as const) {
      expect((await client.get(`${query}&nextToken=${first.nextToken}`)).body).toEqual(badRequest('nextToken'));
    }
    expect((await bob.get(`${page}&nextToken=none`)).status).toBe(400);
  });

  it.each([
    ['', ['imageStatus']],
    ['imageStatus=available', [`'available'`, 'AVAILABLE']],
    ['imageStatus=PENDING&region=mars', [`'mars'`]],
  ])('is not of %j', async (query, parts) => {
    expect(await alice.get(`/custom?${query}`)).toMatchObject({ status: 400, body: badRequest(...parts) });
  });
});

describe('the preview', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('speaks as it did', async () => {
    const id = aName();
    const region = 'us-east-1';
    const accepted = await alice.preview.build({ id, region, imageConfiguration: base64(aConfiguration()) });
    expect(accepted).toMatchObject({ status: 202, body: { image: { imageId: id, region }, validationMessages: [] } });

    const { body } = await alice.preview.get(`/custom/${id}`);
    expect(Object.keys(body.imageConfiguration)).toEqual(['s3Url']);
    for (const unknown of ['imageBuildLogsArn', 'cloudformationStackCreationTime', 'cloudformationStackTags']) {
      expect(body).not.toHaveProperty(unknown);
    }
    expect(Object.keys((await alice.preview.get('/custom?imageStatus=FAILED')).body)).toEqual(['items']);
    expect(
      (
        await alice.preview.build(
          { id: aName(), imageConfiguration: base64(aConfiguration({ Imds: {} })) },
          '?dryrun=true',
        )
      ).body,
    ).toEqual({
      message: 'Request would have succeeded, but DryRun flag is set.',
    });
  });

  it('lists only what its clients can read', async () => {
    const [short, shortest, longest, long] = ['abcd', 'abcde', 'a'.repeat(60), 'a'.repeat(61)];
    for (const name of [shortest, short, long, longest]) {
      expect((await build(alice, name, undefined, '?region=ap-south-1')).status).toBe(202);
    }
    const page = '/custom?region=ap-south-1&imageStatus=PENDING';
    const namesOf = (images: { imageId: string }[]) => images.map(({ imageId }) => imageId);

    const { body } = await alice.preview.get(page);

    expect(namesOf(body.items)).toEqual([longest, shortest]);
    expect(body.nextToken).toBeUndefined();
    expect(namesOf((await alice.get(page)).body.images)).toEqual([longest, long]);
  });

  it('is understood at the released base as well', async () => {
    const id = aName();

    const accepted = await alice.build({ id, imageConfiguration: base64(aConfiguration()) });

    expect(accepted).toMatchObject({ status: 202, body: { image: { imageId: id }, validationMessages: [] } });
  });

  it.each([
    ['no base64', { id: 'image', imageConfiguration: '%%%' }],
    ['a short name', { id: 'four', imageConfiguration: 'eA==' }],
    ['a long name', { id: 'a'.repeat(61), imageConfiguration: 'eA==' }],
    ['the new names', { imageId: 'image', imageConfiguration: 'x' }],
  ])('refuses %s', async (_what, body) => {
    expect(await alice.preview.build(body)).toMatchObject({ status: 400, body: badRequest() });
  });
});
