import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/config.js';
import { isFree } from '../../support/ports.js';

const root = join(import.meta.dirname, '..', '..', '..');

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  security_opt?: string[];
  devices?: string[];
}

interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, null>;
}

const text = await readFile(join(root, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true, uniqueKeys: true, strict: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);

/** What Compose makes of `${NAME:-default}` and `$$` when nobody has set anything. */
function withDefaults(value: string): string {
  return value.replace(/\$(?:\{[A-Z0-9_]+:-([^}]*)\}|\$)/g, (all, fallback?: string) =>
    all === '$$' ? '$' : fallback!,
  );
}

function environmentOf(service: Service): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [name, withDefaults(value)]),
  );
}

describe('docker-compose.yml', () => {
  it('has the parts of a whole Kiln', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['api', 'postgres', 'redis', 's3', 's3-bucket', 'worker']);
    expect(ours.map(([name]) => name).sort()).toEqual(['api', 'worker']);
  });

  it('needs no edit: every variable has a default', () => {
    const variables = [...text.matchAll(/(?<!\$)\$\{?[A-Z][^}]*\}?/g)].map(([variable]) => variable);

    expect(variables.length).toBeGreaterThan(0);
    for (const variable of variables) expect(variable).toMatch(/^\$\{[A-Z0-9_]+:-[^}]+\}$/);
  });

  it.each(ours)('gives %s settings that Kiln knows and accepts', (name, service) => {
    const { config, warnings } = loadConfig(environmentOf(service));

    expect(warnings).toEqual([]);
    expect(config.role).toBe(name);
    expect(config.embeddedDatabase).toBe(false);
    expect(config.redisUrl).toBeDefined();
  });

  it.each(ours)('lets %s reach services that exist, with their passwords', (_name, service) => {
    const { config } = loadConfig(environmentOf(service));
    const [store] = config.stores;
    if (store?.type !== 's3') throw new Error('the store should be S3');
    const s3 = environmentOf(compose.services.s3!);
    const postgres = environmentOf(compose.services.postgres!);
    const database = new URL(config.database.url!);

    expect(database).toMatchObject({
      hostname: 'postgres',
      username: postgres.POSTGRES_USER,
      password: postgres.POSTGRES_PASSWORD,
      pathname: `/${postgres.POSTGRES_DB}`,
    });
    expect(new URL(config.redisUrl!).hostname).toBe('redis');
    expect(new URL(store.endpoint!).hostname).toBe('s3');
    expect(store).toMatchObject({ accessKeyId: s3.MINIO_ROOT_USER, secretAccessKey: s3.MINIO_ROOT_PASSWORD });
    expect(compose.services['s3-bucket']!.command!.join('\n')).toContain(` store/${store.bucket}\n`);
  });

  it.each(services)('has an image, known volumes and satisfiable conditions for %s', (_name, service) => {
    expect(service.image).toMatch(/^[a-z/]+:[\w.-]+$/);
    for (const volume of service.volumes ?? []) {
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
    for (const [dependency, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services[dependency]).toBeDefined();
      expect(['service_healthy', 'service_completed_successfully']).toContain(condition);
      if (condition === 'service_healthy') expect(compose.services[dependency]!.healthcheck).toBeDefined();
    }
  });

  it.each(services)('starts %s, and asks how it is, with words and nothing else', (_name, service) => {
    const words = [...(service.command ?? []), ...(service.entrypoint ?? []), ...(service.healthcheck?.test ?? [])];

    expect(words.filter((word) => typeof word !== 'string')).toEqual([]);
  });

  it('declares no volume that nobody uses', () => {
    const used = services.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0]);

    expect(Object.keys(compose.volumes).sort()).toEqual([...new Set(used)].sort());
  });

  it('publishes the API and the shells of jobs, on the loopback address only', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    const { shells } = loadConfig(environmentOf(compose.services.worker!)).config;

    expect(ports).toEqual(['127.0.0.1:8080:8080', '127.0.0.1:30000-30009:30000-30009']);
    expect(shells).toMatchObject({ host: 'localhost', bind: '0.0.0.0', ports: [30_000, 30_009] });
  });

  it('grants the build sandbox to the worker and to nobody else', () => {
    expect(compose.services.worker).toMatchObject({
      security_opt: ['seccomp=unconfined', 'apparmor=unconfined', 'systempaths=unconfined'],
      devices: ['/dev/net/tun:/dev/net/tun'],
    });
    expect(compose.services.api!.security_opt).toBeUndefined();
    expect(text).not.toMatch(/privileged|docker\.sock/);
  });

  it.each(ours)('runs a program for %s that the build makes', (_name, service) => {
    const [command, script] = service.command!;

    expect(command).toBe('node');
    expect(existsSync(join(root, script!.replace(/^dist\//, '').replace(/\.js$/, '.ts')))).toBe(true);
  });
});

describe('Dockerfile', () => {
  it('copies files that exist and that .dockerignore lets through', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const ignore = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) => files!.split(' '));

    expect(copied.length).toBeGreaterThan(5);
    for (const file of copied) {
      expect(existsSync(join(root, file))).toBe(true);
      expect(ignore).toContain(`!${file}`);
    }
  });

  it('does not run as root and takes its data folder from the same place as docker-compose.yml', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');

    expect(dockerfile).toMatch(/^USER kiln$/m);
    expect(dockerfile).toContain('KILN_DATA_DIR=/var/lib/kiln');
    for (const [, service] of ours)
      expect(service.volumes!.every((volume) => volume.endsWith(':/var/lib/kiln'))).toBe(true);
  });
});

function docker(...args: string[]): { ok: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  return { ok: status === 0, output: `${stdout ?? ''}${status === 0 ? '' : (stderr ?? '')}` };
}

const hasPlugin = docker('compose', 'version').ok;
const hasEngine = hasPlugin && docker('info').ok;
const PORTS = [8080, ...Array.from({ length: 10 }, (_, index) => 30_000 + index)];
const arePortsFree = hasEngine && (await Promise.all(PORTS.map(isFree))).every(Boolean);

function wanting(): string {
  if (!hasEngine) return ' [wants a Docker engine with the Compose plugin]';
  return arePortsFree ? '' : ' [wants the ports 8080 and 30000-30009, which somebody has]';
}

(hasPlugin ? describe : describe.skip)(
  `docker compose config${hasPlugin ? '' : ' [wants the Compose plugin of Docker]'}`,
  () => {
    it('accepts docker-compose.yml', () => {
      expect(docker('compose', 'config', '--quiet')).toEqual({ ok: true, output: '' });
    });
  },
);

(arePortsFree ? describe : describe.skip)(`docker compose up${wanting()}`, () => {
  const project = `kiln-test-${randomBytes(4).toString('hex')}`;
  const composeAs = (...args: string[]) => docker('compose', '--project-name', project, ...args);

  beforeAll(() => {
    const started = composeAs('up', '--build', '--wait', '--wait-timeout', '300');
    if (!started.ok) throw new Error(`${started.output}\n${composeAs('logs', '--tail', '50').output}`);
  }, 1_800_000);

  afterAll(() => {
    composeAs('down', '--volumes', '--timeout', '10');
  }, 300_000);

  it('takes an image and gives it back', async () => {
    const { clouds } = parse(composeAs('exec', '--no-TTY', 'api', 'cat', '/var/lib/kiln/clouds.yaml').output) as {
      clouds: Record<string, { auth: Record<string, string> }>;
    };
    const { auth } = Object.values(clouds)[0]!;
    const domain = { id: 'default' };
    const signedIn = await fetch('http://localhost:8080/identity/v3/auth/tokens', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: auth.username, password: auth.password, domain } },
          },
          scope: { project: { name: auth.project_name, domain } },
        },
      }),
    });
    const headers = { 'x-auth-token': signedIn.headers.get('x-subject-token')! };
    const bytes = randomBytes(8 * 2 ** 20);
    const created = await fetch('http://localhost:8080/image/v2/images', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'composed', disk_format: 'raw', container_format: 'bare' }),
    });
    const { id } = (await created.json()) as { id: string };

    const uploaded = await fetch(`http://localhost:8080/image/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: bytes,
    });

    expect(uploaded.status).toBe(204);
    const downloaded = await fetch(`http://localhost:8080/image/v2/images/${id}/file`, { headers });
    const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    expect(sha256(new Uint8Array(await downloaded.arrayBuffer()))).toBe(sha256(bytes));
  }, 300_000);
});
