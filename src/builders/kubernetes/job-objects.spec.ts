import { describe, expect, it } from '@jest/globals';
import type { V1Job } from '@kubernetes/client-node';
import { anOrder } from '../../../test/support/building.js';
import { loadConfig } from '../../config/config.js';
import type { BuildOrder } from '../../modules/jobs/index.js';
import { objectsOf, type ProgramAccess } from './job-objects.js';

const JOB_ID = '7d0c6b1e-58c5-4b53-9a2e-0a5ce3a4f6d1';
const headers = { authorization: 'Bearer a-secret' };
const access: ProgramAccess = {
  addresses: {
    source: { url: 'http://kiln/builder/jobs/x/source', headers },
    upload: { url: 'http://kiln/builder/jobs/x/files', headers },
    report: { url: 'http://kiln/builder/jobs/x/report', headers },
  },
  authorities: [],
  limits: {
    timeoutMs: 7_200_000,
    shellTimeoutMs: 0,
    scriptTimeoutMs: 0,
    diskBytes: 1,
    outputBytes: 1,
    memoryBytes: null,
    compressionLevel: 3,
  },
  totalSeconds: 7_200,
};

function make(changes: Partial<BuildOrder> = {}, env: Record<string, string> = {}, rule: object = {}) {
  const { config } = loadConfig({
    KILN_EXECUTORS: '[{"executor": "kubernetes"}]',
    KILN_PUBLIC_URL: 'http://kiln',
    ...env,
  });
  const order = anOrder({ jobId: JOB_ID, attempt: 7, ...changes });
  const { dependents, job } = objectsOf(order, access, { executor: 'kubernetes', ...rule }, config);
  const find = (kind: string) => dependents.find((object) => object.kind === kind) as never;
  return { dependents, job, find, pod: (job as V1Job).spec!.template.spec! };
}

const SHELL = { name: 'debug', jail: false, authorizedKey: 'ssh-ed25519 AAAA' };

describe('objectsOf', () => {
  it('names everything by the job, the mark first', () => {
    const { dependents, job } = make({ shell: SHELL });

    expect(dependents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      `ConfigMap cray-ims-${JOB_ID}-configmap`,
      `PersistentVolumeClaim cray-ims-${JOB_ID}-job-claim`,
      `Secret cray-ims-${JOB_ID}-order`,
      `Service cray-ims-${JOB_ID}-service`,
    ]);
    expect(job.metadata.name).toBe(`cray-ims-${JOB_ID}-create`);
    expect(make({ jobType: 'customize' }).job.metadata.name).toBe(`cray-ims-${JOB_ID}-customize`);
  });

  it('keeps what users write as data, whatever they write', () => {
    const nasty = '"}\n---\nkind: Pod\n$(reboot) {{ .Values }} \\';
    const { find, pod } = make({
      shell: { ...SHELL, authorizedKey: nasty },
      kernelFileName: nasty,
      template: [
        { key: nasty, value: nasty },
        { key: 'A', value: '1' },
        { key: 'A', value: '2' },
      ],
    });

    const { data } = find('ConfigMap') as { data: Record<string, string> };
    const { stringData } = find('Secret') as { stringData: Record<string, string> };

    expect(data.public_key).toBe(nasty);
    expect(JSON.parse(data.template_dictionary!)).toEqual({ [nasty]: nasty, A: '2' });
    expect(JSON.parse(stringData['order.json']!)).toMatchObject({ kernelFileName: nasty });
    expect(JSON.stringify(pod)).not.toContain('reboot');
  });

  it('tells the credential to nobody but the program', () => {
    const { dependents, job } = make({ shell: SHELL });

    const others = dependents.filter(({ kind }) => kind !== 'Secret');

    expect(JSON.stringify([...others, job])).not.toContain('a-secret');
  });

  it('asks for what the job may use, and gives the container no right beyond the sandbox', () => {
    const { pod, find, job } = make({ memoryGib: 4, buildEnvSizeGib: 10 });
    const [container] = pod.containers;

    expect(container!.resources).toEqual({
      requests: { cpu: '500m', memory: '4Gi' },
      limits: { cpu: '8', memory: '20Gi' },
    });
    expect(find('PersistentVolumeClaim')).toMatchObject({ spec: { resources: { requests: { storage: '50Gi' } } } });
    expect(container!.securityContext).toMatchObject({ privileged: false, capabilities: { drop: ['ALL'] } });
    expect(container!.env).toBeUndefined();
    expect(pod).toMatchObject({ automountServiceAccountToken: false, restartPolicy: 'Never' });
    expect(job.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 7_500 });
  });

  it('bounds the ephemeral storage where there is no claim', () => {
    const { find, pod } = make({ buildEnvSizeGib: 10 }, { KILN_KUBERNETES_WORK_VOLUME: 'ephemeral' });

    expect(find('PersistentVolumeClaim')).toBeUndefined();
    expect(pod.volumes).toContainEqual({ name: 'work', emptyDir: { sizeLimit: '50Gi' } });
    expect(pod.containers[0]!.resources!.limits).toMatchObject({ 'ephemeral-storage': '50Gi' });
  });

  it('makes a way in only for a shell, with the name and the pool that the site gives', () => {
    const scripted = { updateOsPackages: false, items: [] };
    const service = make({ shell: SHELL }).find('Service');

    expect(make().find('Service')).toBeUndefined();
    expect(make({ shell: SHELL, scripts: scripted }).find('Service')).toBeUndefined();
    expect(service).toMatchObject({
      metadata: {
        annotations: {
          'external-dns.alpha.kubernetes.io/hostname': `${JOB_ID}.ims.cmn.shasta.local`,
          'metallb.universe.tf/address-pool': 'customer-management',
        },
      },
      spec: { type: 'LoadBalancer', ports: [{ port: 22, targetPort: 22 }] },
    });
  });

  it('puts the pod where the rule says', () => {
    const rule = {
      image: 'builder:arm',
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
      tolerations: [{ key: 'builds', operator: 'Exists' }],
      runtimeClass: 'kata-qemu',
      cpuRequest: '2',
      cpuLimit: '4',
    };
    const { pod } = make({}, { KILN_KUBERNETES_PULL_SECRET: 'registry' }, rule);

    expect(pod).toMatchObject({
      nodeSelector: rule.nodeSelector,
      tolerations: rule.tolerations,
      runtimeClassName: 'kata-qemu',
      imagePullSecrets: [{ name: 'registry' }],
      containers: [{ image: 'builder:arm', resources: { requests: { cpu: '2' }, limits: { cpu: '4' } } }],
    });
  });
});
