import { afterAll } from '@jest/globals';
import { startKiln } from '../../support/kiln.js';
import { type S3Server, startS3Server } from '../../support/servers/s3-server.js';
import { describeRestoring } from './restoring.js';

let s3: S3Server;

describeRestoring('S3', async () => {
  s3 = await startS3Server();
  const { endpoint, bucket, accessKeyId, secretAccessKey } = s3;
  const store = { id: 's3', type: 's3', endpoint, region: 'us-east-1', bucket, accessKeyId, secretAccessKey };
  return startKiln({ env: { KILN_ROLE: 'api', KILN_STORES: JSON.stringify([store]) } });
});
// After the Kiln that uses it.
afterAll(() => s3?.close());
