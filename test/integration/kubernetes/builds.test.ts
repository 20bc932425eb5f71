import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { endLeases } from '../../support/leases.js';
import { type TestCluster, testCluster } from '../../support/kubernetes.js';
import type { Thing } from '../../support/servers/kubernetes-api.js';

/**
 * What runs in the pods of small builds, in the place of the builder program: as the value of DO in the recipe's templates
 * says. Its path of the order comes as $0.
 */
const SCRIPT = `
T=\${TERMINATION:-/dev/termination-log}
do=$(sed -n 's/.*"key":"DO","value":"\\([a-z-]*\\)".*/\\1/p' "$0")
echo "the pod begins to $do"
case $do in
  fail) printf '{"code":"build.script_failed","message":"config.sh failed: no such colour"}' > $T ;;
  crash) echo "a last word" >&2; exit 7 ;;
  babble) printf nonsense > $T ;;
  forge) printf '{"files":[{"role":"rootfs","fileId":"00000000-0000-4000-8000-000000000000"}]}' > $T ;;
  count) i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done
    printf '{"code":"build.failed","message":"counted"}' > $T ;;
  ramble) head -c 100000 /dev/zero | tr '\\0' x; echo; printf '{"code":"build.failed","message":"rambled"}' > $T ;;
  hang) trap 'exit 143' TERM; while :; do sleep 0.2; done ;;
esac
`;

/** Small builds run, in a process or a pod; others wait for a node that never comes, so that the test may play it. */
const EXECUTORS = [
  { executor: 'kubernetes', maxSizeGib: 1, cpuRequest: '10m' },
  { executor: 'kubernetes', arch: 'x86_64', nodeSelector: { 'kiln.io/nowhere': 'true' }, cpuRequest: '10m' },
];

interface JobRecord {
  readonly id: string;
  readonly status: string;
  readonly percent: number | null;
  readonly resultant_image_id: string | null;
  readonly cause: { readonly code: string; readonly message: string } | null;
}

interface ProgramOrder {
  readonly jobId: string;
  readonly workDir: string;
  readonly source: Address;
  readonly upload: Address;
  readonly report: Address;
}

interface Address {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** A real cluster takes its time. */
jest.setTimeout(180_000);

describe('builds in Kubernetes', () => {
  let cluster: TestCluster;
  let kiln: RunningKiln;
  const started: RunningKiln[] = [];
  let database: pg.Client;
  let token: string;
  let recipes: Map<string, Promise<string>>;

  beforeAll(async () => {
    cluster = await testCluster();
    await start();
    database = new pg.Client({ connectionString: kiln.databaseUrl });
    await database.connect();
    token = await kiln.token('alice');
    recipes = new Map();
  });

  afterEach(async () => {
    // A job that a test leaves behind would be in the way of the next one's looks at the cluster.
    await call('DELETE', '/apis/ims/v3/jobs');
    await eventually(nothingIsLeft, 60_000);
  });

  afterAll(async () => {
    await database?.end();
    // Last the one whose database and folder the others share.
    for (const each of started.reverse()) await each.stop();
    await cluster?.close();
  });

  const start = async (startTimeout = '120s'): Promise<void> => {
    kiln = await startKiln({
      beside: started[0],
      env: {
        KILN_EXECUTORS: JSON.stringify(EXECUTORS),
        KILN_IMS_NAMESPACE: cluster.namespace,
        KILN_KUBERNETES_KUBECONFIG: cluster.kubeconfig,
        KILN_KUBERNETES_COMMAND: JSON.stringify(['sh', '-c', SCRIPT]),
        KILN_KUBERNETES_IMAGE: 'localhost/kiln/busybox:1',
        KILN_KUBERNETES_PULL_POLICY: 'Never',
        KILN_KUBERNETES_API_URL: 'http://kiln.test',
        KILN_KUBERNETES_SERVICE_TYPE: 'NodePort',
        KILN_KUBERNETES_SHELL_HOST: 'shells.test',
        // A cluster of tests has nothing that makes volumes.
        KILN_KUBERNETES_WORK_VOLUME: cluster.standIn ? 'claim' : 'ephemeral',
        KILN_KUBERNETES_START_TIMEOUT: startTimeout,
        KILN_JOB_LEASE: '30s',
        KILN_BUILD_CONCURRENCY: '8',
      },
    });
    started.push(kiln);
  };

  /** Kills it, and starts another one that takes over its jobs. */
  const restart = async (startTimeout?: string): Promise<void> => {
    await kiln.kill();
    await endLeases(database);
    await start(startTimeout);
  };

  const call = async (method: string, path: string, body?: object | Buffer, headers: object = {}) =>
    fetch(`${kiln.url}${path}`, {
      method,
      headers: {
        'x-auth-token': token,
        ...(body && !Buffer.isBuffer(body) ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      body: Buffer.isBuffer(body) ? new Uint8Array(body) : body && JSON.stringify(body),
    });

  const post = async (path: string, body: object): Promise<{ id: string }> => {
    const reply = await call('POST', `/apis/ims/v3/${path}`, body);
    const answer = (await reply.json()) as { id: string };
    if (reply.status !== 201) throw new Error(`${path}: ${reply.status} ${JSON.stringify(answer)}`);
    return answer;
  };

  /** A recipe whose pod does this. */
  const recipe = (action: string): Promise<string> => {
    const make = async (): Promise<string> => {
      await call('PUT', `/artifacts/ims/${action}.tar.gz`, Buffer.from(`the recipe to ${action}`));
      const { id } = await post('recipes', {
        name: action,
        recipe_type: 'kiwi-ng',
        linux_distribution: 'debian12',
        link: { type: 's3', path: `s3://ims/${action}.tar.gz` },
        template_dictionary: [{ key: 'DO', value: action }],
      });
      return id;
    };
    if (!recipes.has(action)) recipes.set(action, make());
    return recipes.get(action)!;
  };

  const job = async (action: string, more: object = {}): Promise<string> => {
    const key = await post('public-keys', { name: 'a key', public_key: 'ssh-ed25519 AAAA' });
    const { id } = await post('jobs', {
      job_type: 'create',
      artifact_id: await recipe(action),
      public_key_id: key.id,
      image_root_archive_name: 'from a pod',
      job_mem_size: 1,
      build_env_size: 1,
      ...more,
    });
    return id;
  };

  /** A job whose pod no node takes, and the pod. */
  const playedJob = async (more: object = {}): Promise<{ id: string; pod: Thing }> => {
    const id = await job('play', { build_env_size: 2, ...more });
    return { id, pod: await eventually(() => podOf(id)) };
  };

  const record = async (id: string): Promise<JobRecord> =>
    (await (await call('GET', `/apis/ims/v3/jobs/${id}`)).json()) as JobRecord;

  const ended = (id: string): Promise<JobRecord> =>
    eventually(async () => {
      const found = await record(id);
      return ['success', 'error'].includes(found.status) && found;
    }, 40_000);

  const logOf = async (id: string): Promise<string> => (await call('GET', `/apis/ims/v3/jobs/${id}/log`)).text();

  const podOf = async (id: string): Promise<Thing | false> =>
    (await cluster.list('Pod')).find(({ metadata }) => metadata.labels?.['kiln.io/job'] === id) ?? false;

  const orderOf = async (id: string): Promise<ProgramOrder> => {
    const secret = (await cluster.list('Secret')).find(({ metadata }) => metadata.labels?.['kiln.io/job'] === id)!;
    return JSON.parse(Buffer.from(secret.data['order.json'], 'base64').toString()) as ProgramOrder;
  };

  const nothingIsLeft = async (): Promise<boolean> => {
    for (const kind of ['Job', 'Pod', 'ConfigMap', 'Secret', 'Service', 'PersistentVolumeClaim']) {
      const left = (await cluster.list(kind)).filter(({ metadata }) => metadata.labels?.['kiln.io/job'] !== undefined);
      if (left.length > 0) throw new Error(`left: ${kind} ${left.map(({ metadata }) => metadata.name).join(', ')}`);
    }
    return true;
  };

  /** A call as the program in the pod makes it, to where Kiln really is. */
  const asProgram = async (address: Address, init: RequestInit & { below?: string } = {}) =>
    fetch(address.url.replace('http://kiln.test', kiln.url) + (init.below ?? ''), {
      ...init,
      headers: { ...address.headers, ...(init.headers as object) },
    });

  const report = async (id: string, body: object) =>
    asProgram((await orderOf(id)).report, { method: 'POST', body: JSON.stringify(body) });

  const running = (pod: Thing, state: object, status: object = {}) =>
    cluster.patchStatus(pod.metadata.name, {
      phase: 'Running',
      containerStatuses: [
        { name: 'builder', image: 'x', imageID: 'x', ready: false, restartCount: 0, state, ...status },
      ],
    });

  it('makes what the contract names, as data, owned by the Job, and tells the pod no more than it needs', async () => {
    const { id, pod } = await playedJob({ enable_debug: true });
    const mine = async (kind: string): Promise<Thing> =>
      (await cluster.list(kind)).find(({ metadata }) => metadata.labels?.['kiln.io/job'] === id)!;
    await eventually(async () => (await mine('ConfigMap')).metadata.ownerReferences !== undefined);

    const made = await mine('Job');
    const service = await mine('Service');
    const order = await orderOf(id);

    expect(made.metadata.name).toBe(`cray-ims-${id}-create`);
    expect(made.spec).toMatchObject({ backoffLimit: 0 });
    expect((await mine('ConfigMap')).metadata.name).toBe(`cray-ims-${id}-configmap`);
    expect((await mine('ConfigMap')).data).toEqual({
      public_key: 'ssh-ed25519 AAAA',
      template_dictionary: '{"DO":"play"}',
    });
    expect(service.metadata.name).toBe(`cray-ims-${id}-service`);
    expect(service.spec).toMatchObject({ type: 'NodePort', selector: { app: `ims-${id}-create` } });
    if (cluster.standIn) {
      const claim = await mine('PersistentVolumeClaim');
      expect(claim.metadata.name).toBe(`cray-ims-${id}-job-claim`);
      expect(claim.spec).toMatchObject({
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '10Gi' } },
      });
    }
    for (const kind of ['ConfigMap', 'Secret', 'Service']) {
      expect((await mine(kind)).metadata.ownerReferences).toMatchObject([{ kind: 'Job', uid: made.metadata.uid }]);
    }
    expect(pod.metadata.labels).toMatchObject({
      app: `ims-${id}-create`,
      'app.kubernetes.io/name': 'ims-job',
      'app.kubernetes.io/managed-by': 'kiln',
    });
    expect(pod.spec.automountServiceAccountToken).toBe(false);
    expect(pod.spec.containers[0].securityContext).toMatchObject({
      privileged: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.spec.containers[0].env ?? []).toEqual([]);
    expect(order.source.headers.authorization).toMatch(/^Bearer .{40,}/);
    expect(JSON.stringify([pod, made, await mine('ConfigMap')])).not.toContain(
      order.source.headers.authorization!.slice('Bearer '.length),
    );
  });

  it('takes reports and files of the program by its own credential, and makes an image of them', async () => {
    const { id, pod } = await playedJob();
    const order = await orderOf(id);
    const source = await (await asProgram(order.source)).text();
    await running(pod, { running: {} });
    const phases: string[] = [];
    for (const phase of ['fetching', 'waiting_for_repositories', 'building']) {
      expect((await report(id, { phase })).status).toBe(204);
      phases.push((await record(id)).status);
    }
    await report(id, { percent: 40 });
    const { percent } = await record(id);
    await report(id, { phase: 'packaging' });
    const files: object[] = [];
    for (const role of ['rootfs', 'kernel', 'initrd']) {
      const stored = await asProgram(order.upload, { below: `/${role}`, method: 'PUT', body: `the ${role}` });
      expect(stored.status).toBe(201);
      files.push({ role, ...((await stored.json()) as object) });
    }
    await cluster.patchStatus(pod.metadata.name, {
      phase: 'Succeeded',
      containerStatuses: [
        {
          name: 'builder',
          image: 'x',
          imageID: 'x',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: 0, reason: 'Completed', message: JSON.stringify({ files }) } },
        },
      ],
    });

    const { status, cause, resultant_image_id: imageId } = await ended(id);

    expect({ status, cause }).toEqual({ status: 'success', cause: null });
    expect(source).toBe('the recipe to play');
    expect(phases).toEqual(['fetching_recipe', 'waiting_for_repos', 'building_image']);
    expect(percent).toBe(40);
    const image = (await (await call('GET', `/image/v2/images/${imageId}`)).json()) as Record<string, unknown>;
    expect(image).toMatchObject({
      status: 'active',
      size: 'the rootfs'.length,
      kiln_recipe_sha256: createHash('sha256').update('the recipe to play').digest('hex'),
    });
    expect(await (await call('GET', `/image/v2/images/${imageId}/file`)).text()).toBe('the rootfs');
    await eventually(nothingIsLeft);
    // The credential ended with the execution.
    expect((await asProgram(order.source)).status).toBe(401);
  });

  it.each<[string, object]>([
    ['executor.evicted', { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }],
    [
      'executor.node_lost',
      { phase: 'Failed', reason: 'NodeLost', message: 'Node x which was running pod y is unresponsive' },
    ],
    ['executor.node_lost', { phase: 'Failed', reason: 'Shutdown', message: 'Node is shutting down' }],
    [
      'executor.out_of_memory',
      {
        phase: 'Failed',
        containerStatuses: [
          {
            name: 'builder',
            image: 'x',
            imageID: 'x',
            ready: false,
            restartCount: 0,
            state: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
          },
        ],
      },
    ],
  ])('ends the job with %s and removes everything: %j', async (code, status) => {
    const { id, pod } = await playedJob();
    await cluster.patchStatus(pod.metadata.name, status);

    const { status: state, cause } = await ended(id);

    expect({ state, code: cause?.code }).toEqual({ state: 'error', code });
    await eventually(nothingIsLeft, 30_000);
  });

  it.each(['Pod', 'Job'])('ends the job when somebody deletes its %s', async (kind) => {
    const { id, pod } = await playedJob();
    await cluster.delete(kind, kind === 'Pod' ? pod.metadata.name : `cray-ims-${id}-create`);

    const { cause } = await ended(id);

    expect(cause?.code).toBe('executor.deleted');
    await eventually(nothingIsLeft, 30_000);
  });

  it.each([
    ['fail', 'build.script_failed', 'config.sh failed: no such colour'],
    ['crash', 'executor.failed', 'The builder ended early, with status 7'],
    ['babble', 'executor.failed', 'The builder ended without saying what became of the build'],
    ['forge', 'build.failed', expect.anything()],
  ])('knows what a pod means that comes to %s', async (action, code, message) => {
    const id = await job(action);

    const { cause } = await ended(id);

    expect(cause).toEqual({ code, message });
    expect(await logOf(id)).toContain(`the pod begins to ${action}`);
  });

  it('keeps the log of the pod as it grows, each line once', async () => {
    const id = await job('count');
    await eventually(async () => (await logOf(id)).includes('line 5\n'));
    cluster.standIn?.cutLogs();

    const { cause } = await ended(id);

    expect(cause?.message).toBe('counted');
    const lines = (await logOf(id)).split('\n').filter((line) => line.startsWith('line '));
    expect(lines).toEqual(Array.from({ length: 40 }, (_, at) => `line ${at + 1}`));
  });

  it('takes a line that has no end in sight in pieces', async () => {
    const id = await job('ramble');

    expect((await ended(id)).cause?.message).toBe('rambled');
    const pieces = (await logOf(id)).split('\n').filter((line) => line.startsWith('xx'));
    expect(pieces.join('')).toBe('x'.repeat(100_000));
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(16_384);
  });

  it('ends the pod of a job that is cancelled', async () => {
    const id = await job('hang');
    await eventually(async () => (await logOf(id)).includes('the pod begins to hang'));

    await call('POST', `/apis/ims/v3/jobs/${id}/cancel`);

    expect((await ended(id)).cause?.code).toBe('user.cancelled');
    await eventually(nothingIsLeft, 40_000);
  });

  it('refuses what is not of the execution, and takes nothing malformed', async () => {
    const { id } = await playedJob();
    const other = await playedJob();
    const order = await orderOf(id);
    const put = (role: string, headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const address = `${order.upload.url.replace('http://kiln.test', kiln.url)}/${role}`;
        request(address, { method: 'PUT', headers: { ...order.upload.headers, ...headers } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        })
          .on('error', reject)
          .end('x');
      });

    const statuses = {
      none: (await asProgram({ ...order.report, headers: {} }, { method: 'POST', body: '{}' })).status,
      user: (await asProgram({ ...order.report, headers: { 'x-auth-token': token } }, { method: 'POST', body: '{}' }))
        .status,
      other: (
        await asProgram({ ...(await orderOf(other.id)).report, headers: order.report.headers }, { method: 'POST' })
      ).status,
      noJob: (await fetch(`${kiln.url}/builder/jobs/nonsense/source`, { headers: order.source.headers })).status,
      phase: (await report(id, { phase: 'dancing' })).status,
      percent: (await report(id, { percent: 101 })).status,
      shell: (await report(id, { shell: { status: 'active', hostKey: 'two\nlines' } })).status,
      member: (await report(id, { cause: 'x' })).status,
      list: (await report(id, [])).status,
      role: await put('passwd', { 'content-length': '1' }),
      length: await put('rootfs', { 'transfer-encoding': 'chunked' }),
      kilnsOwn: (await call('GET', '/image/v2/images', undefined, order.source.headers)).status,
    };

    expect(statuses).toEqual({
      none: 401,
      user: 401,
      other: 401,
      noJob: 401,
      phase: 400,
      percent: 400,
      shell: 400,
      member: 400,
      list: 400,
      role: 400,
      length: 400,
      kilnsOwn: 200,
    });
    expect((await record(id)).status).toBe('creating');
  });

  it('shows the host and port of the shell where users reach it, and the key that the program tells', async () => {
    const { id, pod } = await playedJob({ enable_debug: true });
    await running(pod, { running: {} });
    await report(id, { phase: 'waiting_on_user' });
    await report(id, { shell: { status: 'active', port: 22, hostKey: 'ssh-ed25519 AAAAhost' } });
    const service = (await cluster.list('Service')).find(({ metadata }) => metadata.labels?.['kiln.io/job'] === id)!;

    const shown = await eventually(async () => {
      const [container] = ((await record(id)) as JobRecord & { ssh_containers: Thing[] }).ssh_containers;
      return container!.connection_info.customer_access.host === 'shells.test' && container!;
    });

    expect(shown.status).toBe('active');
    expect(shown.connection_info.customer_access).toMatchObject({
      host: 'shells.test',
      port: service.spec.ports[0].nodePort,
    });
    expect(shown.connection_info['cluster.local']).toEqual({
      host: `cray-ims-${id}-service.${cluster.namespace}.svc.cluster.local`,
      port: 22,
    });
  });

  it('ends what a worker left that died, and starts over', async () => {
    const { id, pod: first } = await playedJob();
    const before = await orderOf(id);
    await restart();

    const second = await eventually(async () => {
      const pod = await podOf(id);
      return pod && pod.metadata.uid !== first.metadata.uid && pod;
    }, 40_000);

    expect(second.metadata.labels!['kiln.io/execution']).not.toBe(first.metadata.labels!['kiln.io/execution']);
    expect((await cluster.list('Pod')).filter(({ metadata }) => metadata.labels?.['kiln.io/job'] === id)).toHaveLength(
      1,
    );
    expect((await asProgram(before.source)).status).toBe(401);
  });

  it('sweeps what belongs to no execution, and nothing of others', async () => {
    const labels = {
      'app.kubernetes.io/managed-by': 'kiln',
      'app.kubernetes.io/instance': 'kiln',
      'kiln.io/job': '00000000-0000-4000-8000-000000000001',
      'kiln.io/execution': '1',
    };
    const name = 'cray-ims-00000000-0000-4000-8000-000000000001';
    const map = (suffix: string, instance: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${name}${suffix}`, labels: { ...labels, 'app.kubernetes.io/instance': instance } },
    });
    await cluster.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `${name}-order`, labels } });
    await cluster.create(map('-configmap', 'kiln'));
    await cluster.create(map('-of-another', 'another'));

    // Every process sweeps when it starts.
    await restart();

    await eventually(async () => {
      const left = (await cluster.list('ConfigMap')).map(({ metadata }) => metadata.name);
      return left.includes(`${name}-of-another`) && !left.includes(`${name}-configmap`);
    });
    expect((await cluster.list('Secret')).map((secret) => secret.metadata.name)).not.toContain(`${name}-order`);
    await cluster.delete('ConfigMap', `${name}-of-another`);
  });

  describe('where the API server misbehaves', () => {
    const standIn = () => cluster.standIn!;
    const test = process.env.KILN_TEST_KUBECONFIG ? it.skip : it;

    test('waits while it is busy or away, and finds what it made when an answer was lost', async () => {
      standIn().failNext(
        { status: 429, headers: { 'retry-after': '1' }, method: 'POST' },
        { status: 503, method: 'POST' },
        { status: 409, reason: 'Conflict', method: 'POST' },
        { status: 500, method: 'POST', afterwards: true },
        { status: 409, method: 'PATCH' },
      );
      standIn().failNext({ status: 429, method: 'GET' });

      const id = await job('fail');

      expect((await ended(id)).cause?.code).toBe('build.script_failed');
    });

    test('tells what it refuses, and leaves nothing behind', async () => {
      const { id } = await playedJob();
      await call('POST', `/apis/ims/v3/jobs/${id}/cancel`);
      await eventually(nothingIsLeft);
      standIn().failNext({ status: 201, method: 'POST', afterwards: true }, { status: 403, method: 'POST' });

      const refused = await job('play', { build_env_size: 2 });

      expect((await ended(refused)).cause).toMatchObject({ code: 'kubernetes.refused' });
      await eventually(nothingIsLeft);
    });

    test('goes on where watches end, where their place is too old, and where only bookmarks come', async () => {
      const { id, pod } = await playedJob();
      await eventually(() => standIn().watching === 2);
      standIn().bookmark();
      standIn().compact();
      standIn().cutWatches();
      await cluster.patchStatus(pod.metadata.name, { phase: 'Failed', reason: 'Evicted' });
      standIn().compact();

      expect((await ended(id)).cause?.code).toBe('executor.evicted');
    });

    test('outlives that a watch which ended finds no credential to go on with', async () => {
      const { id, pod } = await playedJob();
      await eventually(() => standIn().watching === 2);
      standIn().withholdCredentials(true);
      standIn().endWatches();
      await eventually(() => standIn().credentialsWithheld >= 2);
      await cluster.patchStatus(pod.metadata.name, { phase: 'Failed', reason: 'Evicted' });
      standIn().withholdCredentials(false);

      expect((await ended(id)).cause?.code).toBe('executor.evicted');
      expect(kiln.process.exitCode).toBeNull();
    });

    test('hears of a pod that went while nobody watched', async () => {
      const { id, pod } = await playedJob();
      await eventually(() => standIn().watching === 2);
      standIn().cutWatches();
      await cluster.delete('Pod', pod.metadata.name);
      standIn().compact();

      expect((await ended(id)).cause?.code).toBe('executor.deleted');
    });
  });

  describe('what does not get on for long', () => {
    // Only here: elsewhere a busy machine may take this long for what does get on.
    const BRIEF = '12s';
    beforeAll(() => restart(BRIEF));

    it('gives a pod that cannot start some time, and then says what it waited for', async () => {
      const waits: [string, object][] = [
        [
          'executor.image_pull_failed',
          {
            containerStatuses: [
              {
                name: 'builder',
                image: 'no.such/image:1',
                imageID: '',
                ready: false,
                restartCount: 0,
                state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "no.such/image:1"' } },
              },
            ],
          },
        ],
        [
          'executor.failed',
          {
            containerStatuses: [
              {
                name: 'builder',
                image: 'x',
                imageID: '',
                ready: false,
                restartCount: 0,
                state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret not found' } },
              },
            ],
          },
        ],
        ['executor.unschedulable', {}],
      ];
      const codes = await Promise.all(
        waits.map(async ([, status]) => {
          const { id, pod } = await playedJob();
          if (Object.keys(status).length > 0) await cluster.patchStatus(pod.metadata.name, status);
          return (await ended(id)).cause?.code;
        }),
      );

      expect(codes).toEqual(waits.map(([code]) => code));
      await eventually(nothingIsLeft, 30_000);
    });

    it('does not wait for ever until the pod of an earlier execution is gone', async () => {
      const { id, pod } = await playedJob();
      await cluster.hold(pod.metadata.name, true);
      await restart(BRIEF);

      const { cause } = await ended(id);

      expect(cause).toEqual({
        code: 'executor.node_lost',
        message: 'The node of the pod of an earlier execution does not confirm its end',
      });
      await cluster.hold(pod.metadata.name, false);
    });
  });
});
