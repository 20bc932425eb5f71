import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent, fetch } from 'undici';
import { parse } from 'yaml';
import { KubernetesApi, RESOURCES, type Thing } from './servers/kubernetes-api.js';

/** The cluster that a test runs against: a real one where `KILN_TEST_KUBECONFIG` names it, else the stand-in. */
export interface TestCluster {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Null: a real one, which has no faults on demand. */
  readonly standIn: KubernetesApi | null;
  list(kind: string): Promise<Thing[]>;
  create(object: Pick<Thing, 'apiVersion' | 'kind'> & { metadata: object }): Promise<Thing>;
  delete(kind: string, name: string): Promise<void>;
  /** Says what the kubelet would of a pod that no node has taken. */
  patchStatus(pod: string, status: object): Promise<void>;
  /** Keeps a pod from going when it is deleted, as a node does that is lost; or no longer. */
  hold(pod: string, held: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Kubeconfig {
  readonly clusters: readonly { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  readonly users: readonly {
    user: { token?: string; 'client-certificate-data'?: string; 'client-key-data'?: string };
  }[];
}

/** The whole suite of one file shares one cluster and a namespace of its own. */
export async function testCluster(): Promise<TestCluster> {
  const namespace = `kiln-test-${randomUUID().slice(0, 8)}`;
  const real = process.env.KILN_TEST_KUBECONFIG;
  const standIn = real ? null : await KubernetesApi.start(namespace);
  const kubeconfig = real ?? standIn!.kubeconfig;
  // Not with Kiln's own client, which takes Jest a minute to load.
  const { call, dispatcher } = await caller(kubeconfig);
  const path = (kind: string): string => {
    const [plural, [api]] = Object.entries(RESOURCES).find(([, [, of]]) => of === kind)!;
    return `/${api === 'v1' ? 'api' : 'apis'}/${api}/namespaces/${namespace}/${plural}`;
  };
  if (real) await call('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  return {
    kubeconfig,
    namespace,
    standIn,
    list: async (kind) => ((await call('GET', path(kind))) as { items: Thing[] }).items,
    create: async (object) => (await call('POST', path(object.kind), object)) as Thing,
    delete: async (kind, name) => {
      await call('DELETE', `${path(kind)}/${name}`, { propagationPolicy: 'Background' });
    },
    patchStatus: async (name, status) => {
      await call('PATCH', `${path('Pod')}/${name}/status`, { status });
    },
    hold: async (name, held) => {
      await call('PATCH', `${path('Pod')}/${name}`, { metadata: { finalizers: held ? ['kiln.io/held'] : null } });
    },
    close: async () => {
      if (real) await call('DELETE', `/api/v1/namespaces/${namespace}`);
      await dispatcher.close();
      await standIn?.close();
    },
  };
}

async function caller(kubeconfig: string) {
  const { clusters, users } = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  const { cluster } = clusters[0]!;
  const { user } = users[0]!;
  const decoded = (data: string | undefined) => data && Buffer.from(data, 'base64').toString();
  const dispatcher = new Agent({
    connect: {
      ca: decoded(cluster['certificate-authority-data']),
      cert: decoded(user['client-certificate-data']),
      key: decoded(user['client-key-data']),
    },
  });
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${cluster.server}${path}`, {
      method,
      dispatcher,
      headers: {
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        ...(user.token === undefined ? {} : { authorization: `Bearer ${user.token}` }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  return { call, dispatcher };
}
