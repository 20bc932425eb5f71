// What a build says. Fields and paging are those of the reference's API document and of CloudWatch Logs, which it asks.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BuildFailedError } from '../../../src/modules/jobs/index.js';
import { aborted, type JobsApp, jobsApp } from '../../integration/jobs/jobs-app.js';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { aParent, ask, type Client, clients, configurationOf, SIGNING_BOOTSTRAP } from './wire.js';

const STREAM = encodeURIComponent('3.12.0/1');
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const LINES = Array.from({ length: 25 }, (_, index) => `line ${index + 1}`);

let kiln: RunningKiln;
/** Says all lines, and fails when it is told to. */
let worker: JobsApp;
let fail: () => void;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' }, bootstrap: SIGNING_BOOTSTRAP });
  ({ alice, bob, rita } = clients(kiln));
  const parent = await aParent(kiln, 'alice');
  const build = (imageId: string) => alice.build({ imageId, imageConfiguration: configurationOf(parent) });
  expect((await build('talking')).status).toBe(202);
  for (const path of ['logstreams', `logstreams/${STREAM}`]) {
    expect((await alice.get(`/custom/talking/${path}`)).status).toBe(404);
  }
  const failing = new Promise<never>((_resolve, reject) => {
    fail = () => reject(new BuildFailedError('build.script_failed', 'Script 1 ended with 3'));
  });
  worker = await jobsApp(kiln.databaseUrl, kiln.dataDir, {
    working: true,
    script: async ({ report, signal }) => {
      await report.phase('building');
      report.log(`${LINES.join('\n')}\n`);
      return Promise.race([failing, aborted(signal)]);
    },
  });
  await eventually(async () => {
    const { body } = await eventsOf('');
    expect(body.events).toHaveLength(LINES.length);
  });
}, 300_000);
afterAll(async () => {
  await worker?.app.close();
  await kiln?.stop();
});

const eventsOf = (query: string, client = alice) => client.get(`/custom/talking/logstreams/${STREAM}${query}`);
const messages = ({ body }: { body: any }): string[] => body.events.map(({ message }: { message: string }) => message);

describe('the log of a build', () => {
  it('is one stream, of which is told how far it goes', async () => {
    const { status, body } = await alice.get('/custom/talking/logstreams');

    expect(status).toBe(200);
    expect(body).toEqual({
      logStreams: [
        {
          logStreamName: '3.12.0/1',
          creationTime: expect.stringMatching(TIME),
          firstEventTimestamp: expect.stringMatching(TIME),
          lastEventTimestamp: expect.stringMatching(TIME),
          lastIngestionTime: expect.stringMatching(TIME),
          uploadSequenceToken: '25',
          logStreamArn: expect.stringMatching(
            /^arn:aws:logs:us-east-1:\d{12}:log-group:\/aws\/imagebuilder\/.*talking:log-stream:3\.12\.0\/1$/,
          ),
        },
      ],
    });
  });

  it('is read from its beginning in pages, until a token comes back that was sent', async () => {
    const found: string[] = [];
    let page = await eventsOf('?startFromHead=True&limit=10');
    for (let sent = ''; page.body.nextToken !== sent;) {
      sent = page.body.nextToken;
      found.push(...messages(page));
      page = await eventsOf(`?limit=10&nextToken=${encodeURIComponent(sent)}`);
    }

    expect(found).toEqual(LINES);
    expect(page.body.events).toEqual([]);
  });

  it('is read from its end, and backwards, until a token comes back that was sent', async () => {
    const found: string[] = [];
    let page = await eventsOf('?limit=10');
    expect(messages(page)).toEqual(LINES.slice(-10));
    for (let sent = ''; page.body.prevToken !== sent;) {
      sent = page.body.prevToken;
      found.unshift(...messages(page));
      page = await eventsOf(`?limit=10&nextToken=${encodeURIComponent(sent)}`);
    }

    expect(found).toEqual(LINES);
    expect(page.body.events).toEqual([]);
  });

  it('is followed from before its first line', async () => {
    const [{ timestamp }] = (await eventsOf('')).body.events;
    const early = (await eventsOf(`?endTime=${timestamp}`)).body;
    expect(early.events).toEqual([]);
    for (const token of [early.nextToken, early.prevToken]) {
      expect(messages(await eventsOf(`?nextToken=${encodeURIComponent(token)}`))).toEqual(LINES);
    }
  });

  it('is read between two times', async () => {
    const [{ timestamp }] = (await eventsOf('')).body.events;
    const after = new Date(Date.parse(timestamp) + 3_600_000).toISOString();

    expect(messages(await eventsOf(`?startTime=${timestamp}&endTime=${after}`))).toEqual(LINES);
    expect(messages(await eventsOf(`?startTime=${after}`))).toEqual([]);
    expect(messages(await eventsOf(`?endTime=${timestamp}`))).toEqual([]);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=x', 'limit'],
    ['startFromHead=maybe', 'startFromHead'],
    ['nextToken=nonsense', 'nextToken'],
    ['startTime=yesterday', 'startTime'],
    ['startTime=2026-01-02T00:00:00Z&endTime=2026-01-01T00:00:00Z', 'before endTime'],
    ['region=mars', 'mars'],
  ])('is not read with %s', async (query, part) => {
    expect(await eventsOf(`?${query}`)).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(new RegExp(`^Bad Request: .*${part}`)) },
    });
  });

  it('is not there under another name, for another project, for another image, or in the preview', async () => {
    expect(await alice.get('/custom/talking/logstreams/other')).toMatchObject({
      status: 404,
      body: { message: expect.stringContaining(`'other'`) },
    });
    for (const path of ['logstreams', `logstreams/${STREAM}`, 'stackevents']) {
      expect((await bob.get(`/custom/talking/${path}`)).status).toBe(404);
      expect((await alice.get(`/custom/none-such/${path}`)).status).toBe(404);
      expect((await alice.preview.get(`/custom/talking/${path}`)).status).toBe(404);
      expect((await ask(kiln, 'GET', `/v3/images/custom/talking/${path}`)).status).toBe(401);
      expect((await rita.get(`/custom/talking/${path}`)).status).toBe(200);
    }
  });
});

describe('the events of a build', () => {
  it('are its beginning, and what became of it', async () => {
    const event = (resourceStatus: string, resourceStatusReason: string) => ({
      stackId: expect.stringMatching(/^arn:aws:cloudformation:us-east-1:\d{12}:stack\/talking\//),
      eventId: expect.any(String),
      stackName: 'talking',
      logicalResourceId: 'talking',
      physicalResourceId: expect.stringMatching(/^arn:aws:cloudformation:/),
      resourceType: 'AWS::CloudFormation::Stack',
      timestamp: expect.stringMatching(TIME),
      resourceStatus,
      resourceStatusReason,
    });
    const began = event('CREATE_IN_PROGRESS', 'User Initiated');
    expect((await alice.get('/custom/talking/stackevents')).body).toEqual({ events: [began] });

    fail();

    await eventually(async () => {
      expect((await alice.get('/custom/talking/stackevents')).body).toEqual({
        events: [event('CREATE_FAILED', 'Script 1 ended with 3'), began],
      });
    });
    expect(messages(await eventsOf('?startFromHead=true&limit=1'))).toEqual(['line 1']);
  });
});
