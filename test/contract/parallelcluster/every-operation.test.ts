// Walks every operation of the face, in both dialects, with every caller and everything that can be wrong.
import { afterAll, beforeAll, describe } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Walk, walkOperations } from '../shared/walk.js';
import { aParent, ask, clients, configurationOf, keyOf, SIGNING_BOOTSTRAP, signedHeaders } from './wire.js';

let kiln: RunningKiln;
let parent: string;
/** Names of builds that came to nothing, which may be deleted; each is used once. */
let failed: string[];
/** One that has a log. */
let logged: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' }, bootstrap: SIGNING_BOOTSTRAP });
  parent = await aParent(kiln, 'alice');
  failed = (await Promise.all([building(), building(), building()])).flat();
  // Its root file system is none.
  const worker = await startKiln({ beside: kiln, env: { KILN_ROLE: 'worker' } });
  try {
    await eventually(async () => {
      const { body } = await clients(kiln).alice.get('/custom?imageStatus=FAILED');
      return body.images.length === failed.length;
    }, 120_000);
  } finally {
    await worker.stop();
  }
  logged = failed.pop()!;
  await clients(kiln).alice.build(released('taken'));
}, 240_000);
afterAll(() => kiln?.stop());

let names = 0;
const released = (imageId = `image-${(names += 1)}`) => ({ imageId, imageConfiguration: configurationOf(parent) });
const inPreview = (name?: string) => {
  const { imageId, imageConfiguration } = released(name);
  return { id: imageId, imageConfiguration: Buffer.from(imageConfiguration).toString('base64') };
};

/** A build that waits for a worker. */
const building = async () => {
  const wanted = released();
  const { status, text } = await clients(kiln).alice.build(wanted);
  if (status !== 202) throw new Error(`${status} ${text}`);
  return [wanted.imageId];
};

const RELEASED = '/parallelcluster/v3/images';
const REGION = { status: 400, query: '?region=mars' };

const walksAt = (base: string, body: (name?: string) => object): Record<string, Walk> => ({
  [`GET ${base}/official`]: { success: 200, reader: 200, malformed: REGION },
  [`GET ${base}/custom`]: {
    query: '?imageStatus=AVAILABLE',
    success: 200,
    reader: 200,
    malformed: { status: 400, query: '' },
  },
  [`POST ${base}/custom`]: {
    body: () => body(),
    success: 202,
    reader: 401,
    // The parent is not there for another project.
    stranger: 400,
    malformed: { status: 400, body: '{' },
    conflicting: { status: 409, body: () => body('taken') },
  },
  [`GET ${base}/custom/{imageId}`]: { of: building, success: 200, reader: 200, malformed: REGION },
  [`DELETE ${base}/custom/{imageId}`]: {
    of: async () => [failed.pop()!],
    success: 202,
    reader: 401,
    malformed: REGION,
    conflicting: { status: 400, of: building },
  },
});

/** What the preview did not have. */
const LOGS: Record<string, Walk> = {
  [`GET ${RELEASED}/custom/{imageId}/logstreams`]: {
    of: async () => [logged],
    success: 200,
    reader: 200,
    malformed: REGION,
  },
  [`GET ${RELEASED}/custom/{imageId}/logstreams/{logStreamName}`]: {
    of: async () => [logged, '3.12.0/1'],
    success: 200,
    reader: 200,
    malformed: { status: 400, query: '?limit=0' },
  },
  [`GET ${RELEASED}/custom/{imageId}/stackevents`]: { of: building, success: 200, reader: 200, malformed: REGION },
};

describe('the operations of images of ParallelCluster', () =>
  walkOperations(
    () => kiln,
    'parallelcluster',
    async (user, method, path, { body }) => {
      const asked = path.slice('/parallelcluster'.length);
      const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const headers = { ...json, ...(await signedHeaders(keyOf(user), method, asked, body)) };
      return ask(kiln, method, asked, { headers, body });
    },
    {
      ...walksAt(RELEASED, released),
      ...LOGS,
      ...walksAt('/parallelcluster/preview/v3/images', inPreview),
    },
    'none-such',
  ));
