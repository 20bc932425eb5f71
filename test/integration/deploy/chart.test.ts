import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../../src/config/config.js';
import { HeartbeatSweep } from '../../../src/workers/heartbeat.sweep.js';
import { describeWith } from '../../support/programs.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
const rendered = join(root, 'deploy', 'rendered', 'kiln.yaml');
const CHECK = join(root, 'scripts', 'check-manifests.mjs');
const MINUTE = 60_000;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: Record<string, string> };
  // Each kind has its own; the tests name what they look at.
  readonly [member: string]: any;
}

describe('the rendered chart', () => {
  let manifests: Manifest[];

  beforeAll(async () => {
    manifests = parseAllDocuments(await readFile(rendered, 'utf8'))
      .map((document) => document.toJS() as Manifest | null)
      .filter((manifest) => manifest !== null);
  });

  const of = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const named = (kind: string, name: string): Manifest =>
    of(kind).find(({ metadata }) => metadata.name === name) ?? fail(`no ${kind} ${name}`);
  const podOf = (name: string) => named('Deployment', name).spec.template;

  it(
    'is made of what the Kubernetes API knows, and a wrong member is found',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'kiln-chart-'));
      const broken = join(folder, 'broken.yaml');
      await writeFile(broken, (await readFile(rendered, 'utf8')).replace('livenessProbe:', 'lifeProbe:'));

      const good = await run(process.execPath, [CHECK, rendered]);
      const bad = await run(process.execPath, [CHECK, broken]).catch((error: { stderr: string }) => error);

      expect(good.stderr).toBe('');
      expect(bad.stderr).toMatch(/has no lifeProbe/);
      await rm(folder, { recursive: true });
    },
    2 * MINUTE,
  );

  it.each(['kiln-api', 'kiln-worker'])('runs %s as nobody in particular, within bounds, and twice', (name) => {
    const { spec } = podOf(name);
    const [container] = spec.containers;

    expect(named('Deployment', name).spec.replicas).toBeGreaterThan(1);
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.limits.memory).toBeDefined();
    expect(named('PodDisruptionBudget', name).spec).toMatchObject({
      maxUnavailable: 1,
      selector: named('Deployment', name).spec.selector,
    });
  });

  it('sends nothing to an API that is not ready, and lets only workers speak to the cluster', () => {
    const [api] = podOf('kiln-api').spec.containers;

    expect(api.readinessProbe.httpGet.path).toBe('/healthz/ready');
    expect(api.livenessProbe.httpGet.path).toBe('/healthz/live');
    expect(podOf('kiln-api').spec.automountServiceAccountToken).toBe(false);
    expect(podOf('kiln-worker').spec.serviceAccountName).toBe('kiln-worker');
    expect(named('Service', 'kiln-api').spec.selector).toEqual(
      named('Deployment', 'kiln-api').spec.selector.matchLabels,
    );
  });

  it('starts workers again that do not come to their sweeps any more', async () => {
    const { livenessProbe, startupProbe, env, volumeMounts } = podOf('kiln-worker').spec.containers[0];
    const folder = await mkdtemp(join(tmpdir(), 'kiln-alive-'));
    const probe = async ({ exec: { command } }: { exec: { command: string[] } }): Promise<boolean> => {
      const words = command.map((word) => word.replaceAll('/var/lib/kiln', folder));
      return run(words[0]!, words.slice(1)).then(
        () => true,
        () => false,
      );
    };

    const before = await probe(startupProbe);
    await new HeartbeatSweep(loadConfig({ KILN_DATA_DIR: folder }).config).run();
    const alive = [await probe(startupProbe), await probe(livenessProbe)];
    await utimes(join(folder, 'alive'), 1, 1);

    expect({ before, alive, later: await probe(livenessProbe) }).toEqual({
      before: false,
      alive: [true, true],
      later: false,
    });
    expect(volumeMounts).toContainEqual({ name: 'data', mountPath: '/var/lib/kiln' });
    expect(env).not.toContainEqual(expect.objectContaining({ name: 'KILN_DATA_DIR' }));
    await rm(folder, { recursive: true });
  });

  it('gives workers rights in the namespace of the builds and nowhere else, and no list of Secrets', () => {
    const role = named('Role', 'kiln-builds');
    const verbs = (resource: string): string[] =>
      (role.rules as { resources: string[]; verbs: string[] }[])
        .filter(({ resources }) => resources.includes(resource))
        .flatMap((rule) => rule.verbs);

    expect(of('ClusterRole')).toEqual([]);
    expect(of('Role').map(({ metadata }) => metadata.namespace)).toEqual(['ims']);
    expect(verbs('secrets')).toEqual(['get', 'create', 'patch', 'delete']);
    expect(verbs('pods')).toEqual(['get', 'list', 'watch']);
    expect(JSON.stringify(role.rules)).not.toContain('*');
  });

  it('hands Kiln settings that it takes', () => {
    const settings = named('ConfigMap', 'kiln').data as Record<string, string>;
    const [container] = podOf('kiln-worker').spec.containers;
    const secrets = (container.env as { name: string; valueFrom?: object }[]).filter(({ valueFrom }) => valueFrom);
    const values: Record<string, string> = {
      KILN_DATABASE_URL: 'postgres://kiln@db/kiln',
      KILN_REDIS_URL: 'redis://redis',
      KILN_STORES: '[{"id": "bulk", "type": "s3", "bucket": "kiln"}]',
      KILN_SECRET_KEY: 'x'.repeat(32),
    };

    const { config, warnings } = loadConfig({
      ...settings,
      KILN_ROLE: 'worker',
      ...Object.fromEntries(secrets.map(({ name }) => [name, values[name]])),
    });

    expect(warnings).toEqual([]);
    expect(secrets.map(({ name }) => name).sort()).toEqual(Object.keys(values).sort());
    expect(config.builds.executors).toEqual([{ executor: 'kubernetes' }]);
    expect(config.kubernetes.apiUrl).toBe('http://kiln-api.kiln.svc:80');
    expect(config.kubernetes.image).toBe(container.image);
    expect(config.ims.namespace).toBe(of('Namespace')[0]!.metadata.name);
  });
});

describeWith(['helm'], 'the chart', () => {
  it(
    'renders to what is kept beside it, and with everything switched on too',
    async () => {
      const chart = join(root, 'deploy', 'helm', 'kiln');
      const template = ['template', 'kiln', chart, '--namespace', 'kiln', '--api-versions'];

      const plain = await run('helm', [...template, 'policy/v1/PodDisruptionBudget']);
      const everything = await run('helm', [
        ...template,
        'policy/v1/PodDisruptionBudget',
        '--set',
        'api.ingress.enabled=true,api.ingress.tlsSecret=tls,builds.storageClass=fast,builds.shellHost=node.test',
        '--set',
        'image.pullSecrets[0]=registry,worker.nodeSelector.disk=fast,bootstrap=false,settings.KILN_LOG_LEVEL=debug',
      ]);

      const values = join(await mkdtemp(join(tmpdir(), 'kiln-chart-')), 'values.yaml');
      const numbers = 'settings: {KILN_IMAGE_CACHE_MAX_BYTES: 42949672960, KILN_RATE_LIMIT: 0.5}';
      await writeFile(
        values,
        `${numbers}\nsecretSettings: {KILN_KEYSTONE_PASSWORD: keystone}\nbuilds: {caSecret: site-ca}\n`,
      );
      const { stdout: more } = await run('helm', [...template, 'policy/v1/PodDisruptionBudget', '--values', values]);

      expect(more).toContain('KILN_IMAGE_CACHE_MAX_BYTES: "42949672960"');
      expect(more).toContain('KILN_RATE_LIMIT: "0.5"');
      expect(more).not.toContain('name: KILN_IMAGE_CACHE_MAX_BYTES');
      expect(more.match(/name: KILN_KEYSTONE_PASSWORD/g)).toHaveLength(2);
      expect(more.match(/name: KILN_BUILD_CA_FILE/g)).toHaveLength(1);
      expect(plain.stdout).toBe(await readFile(rendered, 'utf8'));
      expect(everything.stdout).toContain('kind: Ingress');
      expect(everything.stdout).not.toContain('bootstrap.yaml');
    },
    2 * MINUTE,
  );
});

function fail(message: string): never {
  throw new Error(message);
}
