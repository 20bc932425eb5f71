import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.js';
import { ImsUser } from '../support/ims.js';
import { type RunningKiln, startKiln } from '../support/kiln.js';
import { type TestCluster, testCluster } from '../support/kubernetes.js';
import { describeWith } from '../support/programs.js';
import { diskRecipe, offlineRepository, offlineTemplate, recipeArchive } from '../support/recipes.js';
import { RPM_PROGRAMS, rpmRecipe, rpmRepository } from '../support/disks/rpm-distribution.js';
import { SshUser } from '../support/ssh.js';

const run = promisify(execFile);
const MINUTES = 60_000;

// A cluster with a kubelet, and in it the image of deploy/builder-image.sh (`npm run e2e:kubernetes` says how).
const KUBECONFIG = process.env.KILN_TEST_KUBECONFIG;
const suite = KUBECONFIG ? describe : describe.skip;

suite(`builds in a real cluster${KUBECONFIG ? '' : ' [needs KILN_TEST_KUBECONFIG]'}`, () => {
  const name = 'from-a-pod';
  let cluster: TestCluster;
  let kiln: RunningKiln;
  let packages: { readonly server: Server; readonly address: string };
  let ims: ImsUser;
  let ssh: SshUser;
  let keyId: string;
  let recipeId: string;
  let imageId: string;

  beforeAll(async () => {
    cluster = await testCluster();
    const host = await addressTowards(KUBECONFIG!);
    packages = await serve(await offlineRepository(), host);
    kiln = await startKiln({
      env: {
        KILN_HOST: '0.0.0.0',
        KILN_EXECUTORS: '[{"executor": "kubernetes", "cpuRequest": "100m", "cpuLimit": "2"}]',
        KILN_IMS_NAMESPACE: cluster.namespace,
        KILN_KUBERNETES_KUBECONFIG: KUBECONFIG!,
        KILN_KUBERNETES_IMAGE: process.env.KILN_TEST_BUILDER_IMAGE ?? 'localhost/kiln/kiln:1',
        KILN_KUBERNETES_PULL_POLICY: 'Never',
        KILN_KUBERNETES_SERVICE_TYPE: 'NodePort',
        KILN_KUBERNETES_WORK_VOLUME: 'ephemeral',
      },
      envAt: (port) => ({ KILN_KUBERNETES_API_URL: `http://${host}:${port}` }),
    });
    ims = new ImsUser(kiln, await kiln.token('alice'));
    ssh = await SshUser.create();
    keyId = (await ims.key(name, ssh.publicKey)).id;
    const values = Object.fromEntries((await offlineTemplate(name)).map(({ key, value }) => [key, value]));
    const archive = await recipeArchive('debian-tiny');
    recipeId = (await ims.recipe(name, 'kiwi-ng', archive, { ...values, DEBIAN_MIRROR: packages.address })).id;
  }, 5 * MINUTES);

  afterAll(async () => {
    await kiln?.stop();
    packages?.server.closeAllConnections();
    packages?.server.close();
    await cluster?.close();
    await ssh?.leave();
  }, 2 * MINUTES);

  const job = async (more: object): Promise<string> => {
    const common = { public_key_id: keyId, image_root_archive_name: name, job_mem_size: 1, build_env_size: 2 };
    return (await ims.job({ ...common, require_dkms: false, ...more })).id;
  };

  const nothingIsLeft = async (): Promise<boolean> => {
    for (const kind of ['Job', 'Pod', 'ConfigMap', 'Secret', 'Service', 'PersistentVolumeClaim']) {
      const left = (await cluster.list(kind)).filter(({ metadata }) => metadata.labels?.['kiln.io/job'] !== undefined);
      if (left.length > 0) throw new Error(`left: ${kind} ${left.map(({ metadata }) => metadata.name).join(', ')}`);
    }
    return true;
  };

  /** What `unsquashfs` lists of an image's root file system. */
  const listing = async (image: string, ...paths: string[]): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'kiln-e2e-'));
    try {
      await writeFile(join(folder, 'rootfs'), await ims.content(image, 'rootfs'));
      return (await run('unsquashfs', ['-ll', join(folder, 'rootfs'), ...paths])).stdout;
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  it(
    'makes an image of a KIWI recipe in a pod',
    async () => {
      const id = await job({ job_type: 'create', artifact_id: recipeId });
      imageId = (await ims.reached(id, ['success'], 15 * MINUTES)).resultant_image_id!;

      expect(await ims.log(id)).toContain('Installing bootstrap packages');
      expect(await listing(imageId, 'etc/debian_version')).toContain('etc/debian_version');
      await eventually(nothingIsLeft, MINUTES);
    },
    16 * MINUTES,
  );

  describeWith(RPM_PROGRAMS, 'with packages of rpm', () => {
    it(
      'makes an image of a KIWI recipe in a pod',
      async () => {
        const repository = await rpmRepository();
        const { server, address } = await serve(repository, await addressTowards(KUBECONFIG!));
        try {
          const packages = { bootstrap: ['tiny-base'], image: ['tiny-more'], source: address };
          const { id: rpmId } = await ims.recipe('rpm', 'kiwi-ng', rpmRecipe('zypper', packages));

          const id = await job({ job_type: 'create', artifact_id: rpmId });
          const { resultant_image_id: made } = await ims.reached(id, ['success'], 5 * MINUTES);

          expect(await listing(made!, 'etc')).toContain('etc/more');
          await eventually(nothingIsLeft, MINUTES);
        } finally {
          server.closeAllConnections();
          server.close();
          await rm(repository, { recursive: true });
        }
      },
      8 * MINUTES,
    );
  });

  it(
    'makes a disk of a Packer recipe in a pod',
    async () => {
      const { id: packerId } = await ims.recipe('disk', 'packer', diskRecipe());

      const id = await job({ job_type: 'create', artifact_id: packerId });
      const { resultant_image_id: made } = await ims.reached(id, ['success'], 5 * MINUTES);

      const glance = await fetch(`${kiln.url}/image/v2/images/${made}/file`, {
        headers: { 'x-auth-token': await kiln.token('alice') },
      });
      expect(await glance.text()).toBe('a disk');
      await eventually(nothingIsLeft, MINUTES);
    },
    8 * MINUTES,
  );

  it(
    'lets the user into the image in a pod by ssh, and makes another image of what was done there',
    async () => {
      const shells = [{ name: 'customize', jail: true }];
      const id = await job({ job_type: 'customize', artifact_id: imageId, ssh_containers: shells });
      await ims.reached(id, ['waiting_on_user'], 5 * MINUTES);
      const target = await eventually(async () => {
        const [shell] = (await ims.find(id)).ssh_containers!;
        const access = shell!.connection_info.customer_access!;
        return shell!.status === 'active' && access.port !== 22 && access;
      }, MINUTES);

      await eventually(() => ssh.run(target, 'echo added by hand > /root/was-here && touch /tmp/complete'), MINUTES);
      const { resultant_image_id: made } = await ims.reached(id, ['success'], 5 * MINUTES);

      const files = await listing(made!, 'root', 'tmp');
      expect(files).toContain('root/was-here');
      expect(files).not.toContain('tmp/complete');
      expect(made).not.toBe(imageId);
      await eventually(nothingIsLeft, MINUTES);
    },
    12 * MINUTES,
  );

  it(
    'ends a build whose pod is killed half way, and leaves nothing in the cluster',
    async () => {
      const id = await job({ job_type: 'create', artifact_id: recipeId });
      await ims.reached(id, ['building_image'], 5 * MINUTES);
      const pod = (await cluster.list('Pod')).find(({ metadata }) => metadata.labels?.['kiln.io/job'] === id)!;

      await cluster.delete('Pod', pod.metadata.name);

      const { cause } = await ims.reached(id, ['error'], 5 * MINUTES);
      expect(cause).toEqual({ code: 'executor.deleted', message: expect.stringContaining('pod') });
      await eventually(nothingIsLeft, 2 * MINUTES);
    },
    12 * MINUTES,
  );
});

/** The address under which the cluster sees this machine. */
async function addressTowards(kubeconfig: string): Promise<string> {
  const server = /server["']?:\s*["']?https?:\/\/([^:/"']+):(\d+)/.exec(await readFile(kubeconfig, 'utf8'))!;
  const socket = connect(Number(server[2]), server[1]);
  await once(socket, 'connect');
  const { localAddress } = socket;
  socket.destroy();
  return localAddress!;
}

/** Serves a folder to the pods of the cluster. */
async function serve(folder: string, host: string): Promise<{ server: Server; address: string }> {
  const server = createServer((request, reply) => {
    // As it stands: apt names files after epochs with %3a, and debootstrap asks for them so.
    const path = join(folder, normalize(new URL(request.url!, 'http://packages').pathname));
    stat(path).then(
      (found) => {
        if (!found.isFile()) return void reply.writeHead(404).end();
        reply.writeHead(200, { 'content-length': found.size });
        if (request.method === 'HEAD') reply.end();
        else createReadStream(path).pipe(reply);
      },
      () => reply.writeHead(404).end(),
    );
  });
  server.listen(0, host);
  await once(server, 'listening');
  return { server, address: `http://${host}:${(server.address() as AddressInfo).port}` };
}
