import type {
  V1ConfigMap,
  V1Container,
  V1Job,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodSpec,
  V1Secret,
  V1Service,
  V1Volume,
} from '@kubernetes/client-node';
import type { Config, ExecutorRule, KubernetesConfig } from '../../config/config.js';
import type { BuildOrder } from '../../modules/jobs/index.js';
import type { ProgramOrder } from '../program/order.js';
import { API_OF, type ClusterObject, type Kind } from '../../platform/kubernetes/cluster.js';

/** Labels of everything that Kiln makes in a cluster. */
export const LABELS = {
  manager: 'app.kubernetes.io/managed-by',
  /** Which Kiln of those that share a namespace. */
  instance: 'app.kubernetes.io/instance',
  /** Of the contract: every pod that builds. */
  name: 'app.kubernetes.io/name',
  job: 'kiln.io/job',
  /** Fencing number of the execution: what tells leftovers from work in hand. */
  execution: 'kiln.io/execution',
} as const;

/** The kinds made for a job beside the Job itself, in the order of creation. */
export const DEPENDENT_KINDS = ['ConfigMap', 'PersistentVolumeClaim', 'Secret', 'Service'] as const;

export const CONTAINER = 'builder';
const SSH_PORT = 22;
const GIB = 2 ** 30;
const ORDER_FOLDER = '/run/kiln-order';
const ORDER_FILE = 'order.json';
const WORK_FOLDER = '/mnt/image';
/** The kubelet hands what stands there to whoever reads the pod's status: 4096 bytes at most. */
const OUTCOME_FILE = '/dev/termination-log';
/** After the time limit the program itself ends the build, and tells why; the cluster's own limit is for one that hangs. */
const SPARE_SECONDS = 300;
/** How long a pod has to end what runs in it. */
const GRACE_SECONDS = 15;
/** A Job whose worker, sweep and database all died goes by itself. */
const FORGET_SECONDS = 24 * 3_600;

/**
 * Rights of the builder's container. SYS_ADMIN makes the namespaces and mounts of the sandbox that every foreign line of
 * code runs in; the others let it hand folders to the sandbox's root and end its processes. Recipes get none of them: in
 * the sandbox they are root of a user namespace.
 */
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_ADMIN',
  'SYS_CHROOT',
];

/** What the builder program is told beside the order itself. */
export interface ProgramAccess {
  readonly addresses: Pick<ProgramOrder, 'source' | 'upload' | 'report'>;
  readonly limits: ProgramOrder['limits'];
  readonly authorities: readonly string[];
  /** Longest time of the whole execution in seconds, from the making of its Job on, the shell's included. */
  readonly totalSeconds: number;
}

/** Names that follow from the job's id alone. @see Image Management Service v3, `kubernetes_*` of a job */
export function namesOf(jobId: string) {
  const stem = `cray-ims-${jobId.toLowerCase()}`;
  return {
    ConfigMap: `${stem}-configmap`,
    Secret: `${stem}-order`,
    Service: `${stem}-service`,
    PersistentVolumeClaim: `${stem}-job-claim`,
  } as const;
}

type DependentNames = ReturnType<typeof namesOf>;

/** Labels that select everything of one execution, and nothing else. */
export function executionLabels(instance: string, jobId: string, attempt: number): Record<string, string> {
  return {
    [LABELS.manager]: 'kiln',
    [LABELS.instance]: instance,
    [LABELS.job]: jobId.toLowerCase(),
    [LABELS.execution]: String(attempt),
  };
}

export function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** Every object of one execution: what the Job needs, then the Job. */
export function objectsOf(
  order: BuildOrder,
  access: ProgramAccess,
  rule: ExecutorRule,
  { kubernetes: config, ims }: Config,
): { readonly dependents: ClusterObject[]; readonly job: ClusterObject & V1Job } {
  const names = { ...namesOf(order.jobId), Job: `cray-ims-${order.jobId.toLowerCase()}-${order.jobType}` };
  const labels = executionLabels(config.instance, order.jobId, order.attempt);
  const make = <T>(
    kind: Kind,
    object: Omit<T, 'apiVersion' | 'kind' | 'metadata'>,
    annotations = {},
  ): ClusterObject & T =>
    ({
      apiVersion: API_OF[kind],
      kind,
      metadata: { name: names[kind as keyof typeof names], labels, annotations },
      ...object,
    }) as ClusterObject & T;
  const dependents = [
    make<V1ConfigMap>('ConfigMap', { data: configOf(order) }),
    ...(config.workVolume === 'claim'
      ? [make<V1PersistentVolumeClaim>('PersistentVolumeClaim', { spec: claimOf(order, config) })]
      : []),
    make<V1Secret>('Secret', {
      type: 'Opaque',
      stringData: { [ORDER_FILE]: JSON.stringify(programOrder(order, access)) },
    }),
    ...(hasShell(order)
      ? [make<V1Service>('Service', { spec: serviceOf(order, config) }, addressNotes(order, config, ims))]
      : []),
  ];
  return { dependents, job: make<V1Job>('Job', { spec: jobOf(order, access, rule, config, names, labels) }) };
}

/** Whether somebody may come in, so that there must be a way. */
export function hasShell(order: BuildOrder): boolean {
  return order.shell !== null && order.scripts === null;
}

/** Size of a job's volume in bytes. By the reference's factor: packages, image root and the packed result lie there at once. */
export function claimBytes(order: BuildOrder): number {
  return 5 * order.buildEnvSizeGib * GIB;
}

function claimOf(order: BuildOrder, config: KubernetesConfig): V1PersistentVolumeClaim['spec'] {
  return {
    accessModes: ['ReadWriteOnce'],
    ...(config.storageClass === undefined ? {} : { storageClassName: config.storageClass }),
    resources: { requests: { storage: `${claimBytes(order) / GIB}Gi` } },
  };
}

/** For people and for tools of the reference; the program reads its order. */
function configOf(order: BuildOrder): Record<string, string> {
  const template = Object.fromEntries(order.template.map(({ key, value }) => [key, value]));
  return {
    public_key: order.shell?.authorizedKey ?? '',
    ...(order.recipeType === 'kiwi-ng' ? { template_dictionary: JSON.stringify(template) } : {}),
  };
}

function programOrder(order: BuildOrder, access: ProgramAccess): ProgramOrder {
  return {
    version: 1,
    ...order,
    ...access.addresses,
    outcome: OUTCOME_FILE,
    workDir: WORK_FOLDER,
    reposDir: null,
    // The pod's network is the build's own already.
    network: 'shared',
    authorities: access.authorities,
    listen: { host: '0.0.0.0', ports: [SSH_PORT, SSH_PORT] },
    limits: access.limits,
  };
}

function serviceOf(order: BuildOrder, config: KubernetesConfig): V1Service['spec'] {
  return {
    type: config.serviceType,
    selector: { app: appOf(order), [LABELS.execution]: String(order.attempt) },
    ports: [{ name: 'ssh', protocol: 'TCP', port: SSH_PORT, targetPort: SSH_PORT }],
  };
}

function addressNotes(
  { jobId }: BuildOrder,
  config: KubernetesConfig,
  { sshSubnet, sshDomain }: Config['ims'],
): Record<string, string> {
  if (config.serviceType !== 'LoadBalancer') return {};
  return {
    'external-dns.alpha.kubernetes.io/hostname': `${jobId.toLowerCase()}.ims.${sshSubnet}.${sshDomain}`,
    ...(config.addressPool === undefined ? {} : { 'metallb.universe.tf/address-pool': config.addressPool }),
  };
}

function appOf({ jobId, jobType }: BuildOrder): string {
  return `ims-${jobId.toLowerCase()}-${jobType}`;
}

function jobOf(
  order: BuildOrder,
  access: ProgramAccess,
  rule: ExecutorRule,
  config: KubernetesConfig,
  names: DependentNames,
  labels: Record<string, string>,
): V1Job['spec'] {
  return {
    // A pod that died may have told half of its story: whether another one starts is Kiln's to say.
    backoffLimit: 0,
    activeDeadlineSeconds: access.totalSeconds + SPARE_SECONDS,
    ttlSecondsAfterFinished: FORGET_SECONDS,
    template: {
      metadata: {
        labels: { ...labels, app: appOf(order), [LABELS.name]: 'ims-job' },
        // Where AppArmor is on, its usual profile forbids every mount.
        annotations: { [`container.apparmor.security.beta.kubernetes.io/${CONTAINER}`]: 'unconfined' },
      },
      spec: podOf(order, rule, config, names),
    },
  };
}

function podOf(order: BuildOrder, rule: ExecutorRule, config: KubernetesConfig, names: DependentNames): V1PodSpec {
  const { nodeSelector, tolerations, runtimeClass } = rule;
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    ...(nodeSelector ? { nodeSelector: { ...nodeSelector } } : {}),
    ...(tolerations ? { tolerations: [...tolerations] as V1PodSpec['tolerations'] } : {}),
    ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
    ...(config.pullSecret === undefined ? {} : { imagePullSecrets: [{ name: config.pullSecret }] }),
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: { [LABELS.name]: 'ims-job' } },
            },
          },
        ],
      },
    },
    containers: [containerOf(order, rule, config)],
    volumes: [
      {
        name: 'order',
        secret: { secretName: names.Secret, defaultMode: 0o400 },
      },
      workVolume(order, config, names),
    ],
  };
}

function containerOf(order: BuildOrder, rule: ExecutorRule, config: KubernetesConfig): V1Container {
  const memoryGib = order.memoryGib;
  return {
    name: CONTAINER,
    image: rule.image ?? config.image,
    imagePullPolicy: config.pullPolicy,
    command: [...config.command, `${ORDER_FOLDER}/${ORDER_FILE}`],
    terminationMessagePath: OUTCOME_FILE,
    terminationMessagePolicy: 'File',
    ...(hasShell(order) ? { ports: [{ name: 'ssh', containerPort: SSH_PORT, protocol: 'TCP' }] } : {}),
    resources: {
      requests: {
        cpu: rule.cpuRequest ?? '500m',
        memory: `${memoryGib}Gi`,
        ...(config.workVolume === 'ephemeral' ? { 'ephemeral-storage': `${order.buildEnvSizeGib}Gi` } : {}),
      },
      limits: {
        cpu: rule.cpuLimit ?? '8',
        memory: `${5 * memoryGib}Gi`,
        ...(config.workVolume === 'ephemeral' ? { 'ephemeral-storage': `${5 * order.buildEnvSizeGib}Gi` } : {}),
      },
    },
    securityContext: {
      privileged: false,
      runAsUser: 0,
      capabilities: { drop: ['ALL'], add: [...CAPABILITIES] },
    },
    volumeMounts: [
      { name: 'order', mountPath: ORDER_FOLDER, readOnly: true },
      { name: 'work', mountPath: WORK_FOLDER },
    ],
  };
}

function workVolume(order: BuildOrder, config: KubernetesConfig, names: DependentNames): V1Volume {
  return config.workVolume === 'claim'
    ? { name: 'work', persistentVolumeClaim: { claimName: names.PersistentVolumeClaim } }
    : { name: 'work', emptyDir: { sizeLimit: `${5 * order.buildEnvSizeGib}Gi` } };
}

/** The reference by which an object goes when its Job does. */
export function ownerReference(job: V1Job): NonNullable<NonNullable<V1Pod['metadata']>['ownerReferences']>[number] {
  return {
    apiVersion: API_OF.Job,
    kind: 'Job',
    name: job.metadata!.name!,
    uid: job.metadata!.uid!,
  };
}
