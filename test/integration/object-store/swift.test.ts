import { S3ObjectStore } from '../../../src/platform/object-store/s3-object-store.js';
import { describeObjectStore } from '../../support/object-stores.js';
import { describeWith } from '../../support/programs.js';
import { SWIFT_PROGRAMS, startSwift } from '../../support/swift.js';

const storeOf = (server: Awaited<ReturnType<typeof startSwift>>, prefix = 'some/prefix/'): S3ObjectStore =>
  new S3ObjectStore({ id: 'bulk', prefix, ...server });

describeWith(SWIFT_PROGRAMS, 'OpenStack Swift', () => {
  describeObjectStore(
    's3 (Swift)',
    async () => {
      const swift = await startSwift();
      const store = storeOf(swift);
      return {
        store,
        leftovers: async () => (await swift.leftovers()).length,
        close: async () => {
          await store.close();
          await swift.stop();
        },
      };
    },
    { replaces: true },
  );
});
