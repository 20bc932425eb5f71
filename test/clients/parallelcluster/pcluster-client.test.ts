import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildFailedError } from '../../../src/modules/jobs/index.js';
import { aborted, jobsApp } from '../../integration/jobs/jobs-app.js';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findPythonWith } from '../../support/programs.js';
import { aParent, clients, HOST, keyOf, SIGNING_BOOTSTRAP } from '../../contract/parallelcluster/wire.js';
import { program } from '../glance/programs.js';

const PATIENCE_MS = 300_000;

/**
 * Folders that hold the package `pcluster_client`: `api/client/src` of aws-parallelcluster, of a release and of the preview.
 * It is generated and signs by itself; it is in no registry of packages.
 */
const FOLDERS = {
  released: process.env.KILN_TEST_PCLUSTER_CLIENT ?? '/opt/pcluster-client/released',
  preview: process.env.KILN_TEST_PCLUSTER_CLIENT_PREVIEW ?? '/opt/pcluster-client/preview',
};
const has = (folder: string) => existsSync(join(folder, 'pcluster_client'));

/** What both stories begin with: a host name of four labels that leads here, and a call that tells how it ended. */
const PROLOGUE = `
import json, os, socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: resolve('127.0.0.1' if host.endswith('.localhost') else host, *more, **named)
import pcluster_client
from pcluster_client.api import image_operations_api
api = image_operations_api.ImageOperationsApi(pcluster_client.ApiClient(pcluster_client.Configuration(host=sys.argv[1])))
config = sys.argv[2]
out = {}

def tell(name, call):
    try:
        answer = call()
        out[name] = answer.to_dict() if hasattr(answer, 'to_dict') else answer
    except pcluster_client.ApiException as error:
        out[name] = [type(error).__name__, error.status, json.loads(error.body)]
`;

const RELEASED = `${PROLOGUE}
from pcluster_client.model.build_image_request_content import BuildImageRequestContent
from pcluster_client.model.image_status_filtering_option import ImageStatusFilteringOption
from pcluster_client.model.validation_level import ValidationLevel

def build(name, text=config, **more):
    return api.build_image(BuildImageRequestContent(image_configuration=text, image_id=name), **more)

tell('build', lambda: build('genomics-node', suppress_validators=['type:UrlValidator', 'type:KmsKeyValidator'], rollback_on_failure=False))
tell('again', lambda: build('genomics-node'))
tell('dry run', lambda: build('another-node', dryrun=True))
tell('invalid', lambda: build('another-node', 'Build: {}'))
tell('strict', lambda: build('another-node', validation_failure_level=ValidationLevel('INFO')))
tell('describe', lambda: api.describe_image('genomics-node', region='us-east-1'))
tell('pending', lambda: api.list_images(ImageStatusFilteringOption('PENDING')))
tell('available', lambda: api.list_images(ImageStatusFilteringOption('AVAILABLE'), region='us-east-1'))
tell('missing', lambda: api.describe_image('none-such'))
tell('building', lambda: api.delete_image('genomics-node', force=True))
tell('official', lambda: api.list_official_images(os='rocky9', architecture='x86_64'))
tell('wrong official', lambda: api.list_official_images(os='plan 9'))
os.environ['AWS_SECRET_ACCESS_KEY'] = 'wrong'
tell('wrong secret', lambda: api.list_official_images())
print(json.dumps(out, default=str))
`;

const LOGS = `${PROLOGUE}
from pcluster_client.api import image_logs_api
logs = image_logs_api.ImageLogsApi(api.api_client)
tell('streams', lambda: logs.list_image_log_streams('genomics-node'))
name = out['streams']['log_streams'][0]['log_stream_name']
tell('head', lambda: logs.get_image_log_events('genomics-node', name, start_from_head=True, limit=2))
tell('more', lambda: logs.get_image_log_events('genomics-node', name, next_token=out['head']['next_token']))
tell('none', lambda: logs.get_image_log_events('genomics-node', 'other/1'))
tell('events', lambda: logs.get_image_stack_events('genomics-node', region='us-east-1'))
print(json.dumps(out, default=str))
`;

const ROLLED_BACK = `${PROLOGUE}
from pcluster_client.api import image_logs_api
from pcluster_client.model.image_status_filtering_option import ImageStatusFilteringOption
logs = image_logs_api.ImageLogsApi(api.api_client)
tell('events', lambda: logs.get_image_stack_events('rolled-node'))
tell('failed', lambda: api.list_images(ImageStatusFilteringOption('FAILED')))
print(json.dumps(out, default=str))
`;

const PREVIEW = `${PROLOGUE}
import base64
from pcluster_client.model.build_image_request_content import BuildImageRequestContent
from pcluster_client.model.image_status_filtering_option import ImageStatusFilteringOption

def build(name, **more):
    text = base64.b64encode(config.encode()).decode()
    return api.build_image(BuildImageRequestContent(image_configuration=text, id=name), **more)

tell('build', lambda: build('preview-node', suppress_validators=['type:UrlValidator']))
tell('dry run', lambda: build('another-preview', dryrun=True))
tell('describe', lambda: api.describe_image('preview-node'))
tell('pending', lambda: api.list_images(ImageStatusFilteringOption('PENDING')))
tell('official', lambda: api.describe_official_images())
tell('building', lambda: api.delete_image('preview-node'))
print(json.dumps(out, default=str))
`;

const python = findPythonWith('boto3, dateutil, urllib3');
const missing = [
  ...(python ? [] : ['python3-boto3']),
  ...(has(FOLDERS.released) ? [] : ['KILN_TEST_PCLUSTER_CLIENT']),
  ...(has(FOLDERS.preview) ? [] : ['KILN_TEST_PCLUSTER_CLIENT_PREVIEW']),
];

describeWith(missing, 'pcluster_client', () => {
  let kiln: RunningKiln;
  let folder: string;
  let configuration: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-pcluster-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' }, bootstrap: SIGNING_BOOTSTRAP });
    const parent = await aParent(kiln, 'alice');
    configuration = `Build:\n  InstanceType: m6i.large\n  ParentImage: ${parent}\n  SubnetId: subnet-12345678\n`;
  }, PATIENCE_MS);

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a story with the client of a folder, against a base below the mount. */
  async function tell(story: string, source: string, base: string): Promise<any> {
    const path = join(folder, 'story.py');
    await writeFile(path, story);
    const { access, secret } = keyOf('alice');
    const env = {
      PATH: process.env.PATH ?? '',
      PYTHONPATH: source,
      AWS_ACCESS_KEY_ID: access,
      AWS_SECRET_ACCESS_KEY: secret,
    };
    const host = `http://${HOST}:${new URL(kiln.url).port}/parallelcluster${base}`;
    return JSON.parse(await program(python!, [path, host, configuration], env, folder));
  }

  it(
    'of a release signs, builds, lists, describes, and understands what is refused',
    async () => {
      const out = await tell(RELEASED, FOLDERS.released, '');

      const told = expect.objectContaining({ type: 'UnsupportedOptionValidator', level: 'INFO' });
      const image = expect.objectContaining({ image_id: 'genomics-node', image_build_status: 'BUILD_IN_PROGRESS' });
      const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) });
      expect(out).toEqual({
        build: { image, validation_messages: [told] },
        again: ['ApiException', 409, message('genomics-node')],
        'dry run': [
          'ApiException',
          412,
          { ...{ message: expect.stringContaining('DryRun') }, validationMessages: [told] },
        ],
        invalid: ['ApiException', 400, message('Invalid image configuration.')],
        strict: ['ApiException', 400, message('Configuration is invalid')],
        describe: expect.objectContaining({
          image_id: 'genomics-node',
          cloudformation_stack_status: 'CREATE_IN_PROGRESS',
          image_configuration: { url: expect.stringContaining('/artifacts/') },
        }),
        pending: { images: [image] },
        available: { images: [] },
        missing: ['NotFoundException', 404, message('none-such')],
        building: ['ApiException', 400, message('Bad Request: ')],
        official: { images: [] },
        'wrong official': ['ApiException', 400, message(`'plan 9'`)],
        'wrong secret': ['UnauthorizedException', 401, message('signature')],
      });
    },
    PATIENCE_MS,
  );

  it(
    'of a release reads the log and the events of a build',
    async () => {
      const worker = await jobsApp(kiln.databaseUrl, kiln.dataDir, {
        working: true,
        script: async ({ report, signal }) => {
          await report.phase('building');
          report.log('first\nsecond\nthird\n');
          return aborted(signal);
        },
      });
      try {
        const path = '/parallelcluster/v3/images/custom/genomics-node/logstreams';
        const headers = { 'x-auth-token': await kiln.token('alice') };
        await eventually(async () => (await fetch(`${kiln.url}${path}`, { headers })).status === 200);

        const out = await tell(LOGS, FOLDERS.released, '');

        const said = (...texts: string[]) => texts.map((message) => expect.objectContaining({ message }));
        expect(out).toMatchObject({
          streams: { log_streams: [{ upload_sequence_token: '3' }] },
          head: { events: said('first', 'second') },
          more: { events: said('third') },
          none: ['NotFoundException', 404, { message: expect.stringContaining('other/1') }],
          events: { events: [{ stack_name: 'genomics-node', resource_status: 'CREATE_IN_PROGRESS' }] },
        });
      } finally {
        await worker.app.close();
      }
    },
    PATIENCE_MS,
  );

  it(
    'of a release reads the events of a build that was rolled back',
    async () => {
      const { alice } = clients(kiln);
      const wanted = { imageId: 'rolled-node', imageConfiguration: configuration };
      expect((await alice.build(wanted, '?rollbackOnFailure=true')).status).toBe(202);
      const worker = await jobsApp(kiln.databaseUrl, kiln.dataDir, {
        working: true,
        script: () => Promise.reject(new BuildFailedError('build.script_failed', 'Script 1 ended with 3')),
      });
      try {
        await eventually(async () => {
          const { body } = await alice.get('/custom/rolled-node');
          return body.cloudformationStackStatus === 'ROLLBACK_COMPLETE';
        });

        const out = await tell(ROLLED_BACK, FOLDERS.released, '');

        expect(out.events.events).toMatchObject([
          { resource_status: 'DELETE_COMPLETE', resource_status_reason: 'Script 1 ended with 3' },
          { resource_status: 'CREATE_IN_PROGRESS' },
        ]);
        expect(out.failed.images).toContainEqual(
          expect.objectContaining({ image_id: 'rolled-node', cloudformation_stack_status: 'ROLLBACK_COMPLETE' }),
        );
      } finally {
        await worker.app.close();
      }
    },
    PATIENCE_MS,
  );

  it(
    'of the preview does the same at its own base, whatever the names of others',
    async () => {
      const short = { imageId: 'abcd', imageConfiguration: configuration };
      expect((await clients(kiln).alice.build(short)).status).toBe(202);

      const out = await tell(PREVIEW, FOLDERS.preview, '/preview');

      const image = expect.objectContaining({ image_id: 'preview-node', image_build_status: 'BUILD_IN_PROGRESS' });
      const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) });
      expect(out).toEqual({
        build: { image, validation_messages: [expect.objectContaining({ level: 'INFO' })] },
        'dry run': ['ApiException', 412, message('DryRun')],
        describe: expect.objectContaining({ image_configuration: { s3_url: expect.stringContaining('/artifacts/') } }),
        pending: { items: expect.arrayContaining([image]) },
        official: { items: [] },
        building: ['ApiException', 400, message('Bad Request: ')],
      });
    },
    PATIENCE_MS,
  );
});
