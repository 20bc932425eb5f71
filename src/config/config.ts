import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type EgressOpening, SETTINGS, type Setting, type StoreConfig } from './config.schema.js';
import type { ExecutorRule } from './executor-rules.js';

export type { ExecutorRule };

type Parsed = {
  [K in keyof typeof SETTINGS]: (typeof SETTINGS)[K] extends Setting<infer T> ? T | undefined : never;
};

/** How an image's data may be fetched for it. */
export type ImportMethod = NonNullable<Parsed['importMethods']>[number];

/** An allow-list that stands wins over the deny-list beside it; null: none stands. */
interface AllowDeny<T> {
  readonly allowed: readonly T[] | null;
  readonly denied: readonly T[];
}

/** Where requests may go whose address a user or a remote answer chose, and how long they may take. */
export interface EgressConfig {
  readonly openings: readonly EgressOpening[];
  readonly schemes: readonly string[];
  readonly hosts: AllowDeny<string>;
  readonly ports: AllowDeny<number>;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly redirectsMax: number;
}

const EGRESS_SCHEMES = ['http', 'https'];
const EGRESS_PORTS = [80, 443];

/** The Keystone whose tokens Kiln takes. Addresses end with `/v3`. */
export interface KeystoneConfig {
  readonly url: string;
  readonly publicUrl: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
  readonly userDomain: string;
  readonly projectDomain: string;
  readonly cacheMs: number;
}

/** The cluster that builds run in, and how their objects look. */
export interface KubernetesConfig {
  readonly kubeconfig: string | undefined;
  readonly instance: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly pullSecret: string | undefined;
  readonly apiUrl: string | undefined;
  readonly serviceType: 'LoadBalancer' | 'NodePort' | 'ClusterIP';
  readonly addressPool: string | undefined;
  readonly shellHost: string | undefined;
  readonly workVolume: 'claim' | 'ephemeral';
  readonly storageClass: string | undefined;
  readonly startTimeoutMs: number;
}

/** Every setting in force, frozen. Injected; nothing else reads the environment. */
export class Config {
  readonly role: 'all' | 'api' | 'worker';
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug';
  readonly dataDir: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly publicUrl: string | undefined;
    /** Addresses and networks of those who may say for whom they ask. */
    readonly trustedProxies: readonly string[];
  };
  readonly region: string;
  readonly database: { readonly url: string | undefined; readonly poolSize: number };
  readonly redisUrl: string | undefined;
  readonly stores: readonly StoreConfig[];
  readonly bootstrapFile: string | undefined;
  readonly policyFile: string | undefined;
  readonly propertyProtection: { readonly path: string | undefined; readonly format: 'roles' | 'policies' };
  readonly identity: {
    readonly tokenTtlSeconds: number;
    /** Of one address in five minutes; 0: no limit. */
    readonly failedLogins: number;
  };
  /** Requests a second and credential; undefined: no limit. */
  readonly rateLimit: number | undefined;
  /** What seals stored secrets; undefined: a file in the data folder. */
  readonly secretKey: string | undefined;
  /** Undefined: Kiln has an identity service of its own. */
  readonly keystone: KeystoneConfig | undefined;
  /** Milliseconds; null: for ever; 0: not at all. */
  readonly deletedRetentionMs: number | null;
  readonly images: {
    readonly sizeMaxBytes: number;
    /** Null: nothing is cached. */
    readonly cacheMaxBytes: number | null;
    /** The words for formats that images may have. */
    readonly formats: { readonly disk: readonly string[]; readonly container: readonly string[] };
    readonly checksFormat: boolean;
    readonly virtualSizeMaxBytes: number;
    readonly certificatesDir: string | undefined;
    readonly locationsShown: boolean;
    readonly directUrlShown: boolean;
  };
  readonly parallelCluster: {
    /** At least one; the first is the default. */
    readonly regions: readonly string[];
    readonly pageSize: number;
  };
  /** Regions that signatures may name; undefined: any. */
  readonly signingRegions: readonly string[] | undefined;
  readonly metadefsDir: string | undefined;
  readonly imports: {
    readonly methods: readonly ImportMethod[];
    readonly concurrency: number;
    readonly decompress: boolean;
    readonly convertTo: 'qcow2' | 'raw' | 'vmdk' | undefined;
    readonly workBytes: number;
    readonly workTimeoutMs: number;
    readonly injectProperties: Readonly<Record<string, string>>;
    readonly injectIgnoreRoles: readonly string[];
    /** Endpoints of the image service by region and interface. */
    readonly regions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  readonly ims: {
    readonly openProject: string | undefined;
    /** Where the face is mounted beside its own place. */
    readonly prefix: string | undefined;
    readonly sshSubnet: string;
    readonly sshDomain: string;
    readonly namespace: string;
    readonly buildEnvSizeGib: number;
    readonly jobMemoryGib: number;
    readonly requireDkms: boolean;
    readonly manifestLimitBytes: number;
    readonly distributions: readonly string[];
  };
  readonly foreman: {
    readonly checksArchitecture: boolean;
  };
  readonly egress: EgressConfig;
  readonly builds: {
    readonly concurrency: number;
    readonly customizeConcurrency: number;
    readonly reposDir: string | undefined;
    readonly caFile: string | undefined;
    readonly timeoutMs: number;
    readonly scriptTimeoutMs: number;
    readonly diskBytes: number;
    readonly outputBytes: number;
    readonly logBytes: number;
    readonly compressionLevel: number;
    readonly memoryBytes: number | undefined;
    readonly leaseMs: number;
    /** Each over all workers; undefined: no limit. */
    readonly runningMax: number | undefined;
    readonly customizingMax: number | undefined;
    readonly executors: readonly ExecutorRule[];
  };
  /** Shells of jobs that run on this machine. */
  readonly shells: {
    readonly host: string;
    readonly bind: string;
    readonly ports: readonly [number, number];
    readonly timeoutMs: number;
  };
  readonly kubernetes: KubernetesConfig;

  constructor(parsed: Parsed) {
    this.role = parsed.role!;
    this.logLevel = parsed.logLevel!;
    this.dataDir = resolve(parsed.dataDir!);
    this.http = {
      host: parsed.host!,
      port: parsed.port!,
      publicUrl: parsed.publicUrl,
      trustedProxies: parsed.trustedProxies ?? [],
    };
    this.region = parsed.region!;
    this.database = { url: parsed.databaseUrl, poolSize: parsed.databasePoolSize! };
    this.redisUrl = parsed.redisUrl;
    this.stores = parsed.stores ?? [{ id: 'default', type: 'file', path: join(this.dataDir, 'objects') }];
    this.bootstrapFile = parsed.bootstrapFile;
    this.policyFile = parsed.policyFile;
    this.propertyProtection = { path: parsed.propertyProtectionFile, format: parsed.propertyProtectionFormat! };
    this.identity = { tokenTtlSeconds: parsed.tokenTtlSeconds!, failedLogins: parsed.failedLogins! };
    this.rateLimit = parsed.rateLimit;
    this.secretKey = parsed.secretKey;
    this.keystone = parsed.keystoneUrl === undefined ? undefined : toKeystone(parsed, parsed.keystoneUrl);
    this.deletedRetentionMs = parsed.deletedRetention!;
    this.images = {
      sizeMaxBytes: parsed.imageSizeMaxBytes!,
      cacheMaxBytes: parsed.imageCache === 'off' ? null : parsed.imageCacheMaxBytes!,
      formats: { disk: parsed.imageDiskFormats!, container: parsed.imageContainerFormats! },
      checksFormat: parsed.imageFormatCheck === 'on',
      virtualSizeMaxBytes: parsed.imageVirtualSizeMaxBytes!,
      certificatesDir: parsed.imageCertificatesDir === undefined ? undefined : resolve(parsed.imageCertificatesDir),
      locationsShown: parsed.imageLocations === 'shown',
      directUrlShown: parsed.imageDirectUrl === 'shown',
    };
    this.parallelCluster = { regions: parsed.parallelClusterRegions!, pageSize: parsed.parallelClusterPageSize! };
    this.signingRegions = parsed.signingRegions;
    this.metadefsDir = parsed.metadefsDir === undefined ? undefined : resolve(parsed.metadefsDir);
    this.imports = {
      methods: parsed.importMethods!,
      concurrency: parsed.importConcurrency!,
      decompress: parsed.importDecompress === 'on',
      convertTo: parsed.importConvertTo,
      workBytes: parsed.importWorkBytes!,
      workTimeoutMs: parsed.importWorkTimeout!,
      injectProperties: parsed.importInjectProperties!,
      injectIgnoreRoles: parsed.importInjectIgnoreRoles!,
      regions: parsed.glanceRegions!,
    };
    this.ims = {
      openProject: parsed.imsOpenProject,
      prefix: parsed.imsPrefix,
      sshSubnet: parsed.imsSshSubnet!,
      sshDomain: parsed.imsSshDomain!,
      namespace: parsed.imsNamespace!,
      buildEnvSizeGib: parsed.imsBuildEnvSize!,
      jobMemoryGib: parsed.imsJobMemSize!,
      requireDkms: parsed.imsRequireDkms === 'on',
      manifestLimitBytes: parsed.imsManifestLimitBytes!,
      distributions: ['sles12', 'sles15', 'centos7', ...parsed.imsDistributions!],
    };
    this.foreman = {
      checksArchitecture: parsed.foremanArchitectureCheck === 'on',
    };
    this.egress = {
      openings: parsed.egressAllow ?? [],
      schemes: parsed.egressSchemes ?? EGRESS_SCHEMES.filter((scheme) => !parsed.egressSchemesDenied?.includes(scheme)),
      hosts: { allowed: parsed.egressHosts ?? null, denied: parsed.egressHostsDenied ?? [] },
      // Who says which ports are closed means that the others are open.
      ports: {
        allowed: parsed.egressPorts ?? (parsed.egressPortsDenied ? null : EGRESS_PORTS),
        denied: parsed.egressPortsDenied ?? [],
      },
      connectTimeoutMs: parsed.egressConnectTimeout!,
      idleTimeoutMs: parsed.egressIdleTimeout!,
      totalTimeoutMs: parsed.egressTotalTimeout!,
      redirectsMax: parsed.egressRedirects!,
    };
    this.builds = {
      concurrency: parsed.buildConcurrency!,
      customizeConcurrency: parsed.customizeConcurrency!,
      reposDir: parsed.buildRepos === undefined ? undefined : resolve(parsed.buildRepos),
      caFile: parsed.buildCaFile === undefined ? undefined : resolve(parsed.buildCaFile),
      timeoutMs: parsed.buildTimeout!,
      scriptTimeoutMs: parsed.scriptTimeout!,
      diskBytes: parsed.buildDiskBytes!,
      outputBytes: parsed.buildOutputBytes!,
      logBytes: parsed.buildLogBytes!,
      compressionLevel: parsed.buildCompressionLevel!,
      memoryBytes: parsed.buildMemoryBytes,
      leaseMs: parsed.jobLease!,
      runningMax: parsed.buildsRunning,
      customizingMax: parsed.customizingRunning,
      executors: parsed.executors!,
    };
    this.kubernetes = {
      kubeconfig: parsed.kubernetesKubeconfig === undefined ? undefined : resolve(parsed.kubernetesKubeconfig),
      instance: parsed.kubernetesInstance!,
      image: parsed.kubernetesImage!,
      command: parsed.kubernetesCommand!,
      pullPolicy: parsed.kubernetesPullPolicy!,
      pullSecret: parsed.kubernetesPullSecret,
      apiUrl: parsed.kubernetesApiUrl ?? parsed.publicUrl,
      serviceType: parsed.kubernetesServiceType!,
      addressPool: parsed.kubernetesAddressPool === 'none' ? undefined : parsed.kubernetesAddressPool,
      shellHost: parsed.kubernetesShellHost,
      workVolume: parsed.kubernetesWorkVolume!,
      storageClass: parsed.kubernetesStorageClass,
      startTimeoutMs: parsed.kubernetesStartTimeout!,
    };
    const shellBind = parsed.shellBind ?? bindOfShells(this);
    this.shells = {
      host: parsed.shellHost ?? hostOfShells(this, shellBind),
      bind: shellBind,
      ports: parsed.shellPorts!,
      timeoutMs: parsed.shellTimeout!,
    };
    deepFreeze(this);
  }

  /** Whether this process runs its own PostgreSQL. */
  get embeddedDatabase(): boolean {
    return this.database.url === undefined;
  }
}

/** Every problem of the environment, or of a file that it names, at once, one a line. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

/** A configuration and what is worth a warning about it. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/**
 * Reads every setting from `env`. A setting `KILN_X` may also come as `KILN_X_FILE`, a path whose content it is.
 * An empty value counts as unset.
 *
 * @throws ConfigError naming every bad value
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): LoadedConfig {
  const problems: string[] = [];
  const parsed: Record<string, unknown> = {};
  const known = new Set<string>();
  for (const [key, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    known.add(setting.name).add(`${setting.name}_FILE`);
    try {
      const value = read(env, setting.name) ?? setting.default;
      if (value !== undefined) parsed[key] = setting.parse(value);
    } catch (error) {
      problems.push(`${setting.name}: ${(error as Error).message}`);
    }
  }
  if (parsed.role !== undefined && parsed.role !== 'all' && problems.length === 0 && parsed.databaseUrl === undefined) {
    problems.push(
      `KILN_DATABASE_URL: must be set when KILN_ROLE is ${String(parsed.role)} (processes share one database)`,
    );
  }
  const stores = (parsed.stores ?? []) as readonly StoreConfig[];
  if (parsed.imageLocations === 'shown' && stores.some((store) => store.id === 'http')) {
    problems.push('KILN_STORES: the id http is that of the web when KILN_IMAGE_LOCATIONS is shown');
  }
  const rules = (parsed.executors ?? []) as readonly ExecutorRule[];
  if (
    rules.some(({ executor }) => executor === 'kubernetes') &&
    parsed.kubernetesApiUrl === undefined &&
    parsed.publicUrl === undefined
  ) {
    problems.push('KILN_KUBERNETES_API_URL: must be set (or KILN_PUBLIC_URL) when KILN_EXECUTORS names kubernetes');
  }
  if (parsed.keystoneUrl !== undefined) {
    for (const key of ['keystoneUsername', 'keystonePassword', 'keystoneProject'] as const) {
      if (parsed[key] === undefined) problems.push(`${SETTINGS[key].name}: must be set with KILN_KEYSTONE_URL`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = Object.keys(env)
    .filter((name) => name.startsWith('KILN_') && !known.has(name))
    .map((name) => `${name} is not a setting of Kiln; it is ignored`);
  return { config: new Config(parsed as Parsed), warnings };
}

function read(env: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name]) return env[name];
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Error(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Shells listen where the API does, unless users come from elsewhere: to a worker, or by way of a public address. */
function bindOfShells({ role, http }: Pick<Config, 'role' | 'http'>): string {
  const fromElsewhere = http.publicUrl !== undefined && !isLoopback(new URL(http.publicUrl).hostname);
  return role === 'worker' || fromElsewhere ? '0.0.0.0' : http.host;
}

/** Who reaches the API on this machine reaches its shells by the same name. */
function hostOfShells({ role, http }: Pick<Config, 'role' | 'http'>, bind: string): string {
  if (role !== 'worker' && http.publicUrl !== undefined) return new URL(http.publicUrl).hostname;
  return ['0.0.0.0', '::'].includes(bind) ? hostname() : bind;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('127.');
}

function toKeystone(parsed: Parsed, url: string): KeystoneConfig {
  const versioned = (address: string): string => (address.endsWith('/v3') ? address : `${address}/v3`);
  return {
    url: versioned(url),
    publicUrl: versioned(parsed.keystonePublicUrl ?? url),
    username: parsed.keystoneUsername!,
    password: parsed.keystonePassword!,
    project: parsed.keystoneProject!,
    userDomain: parsed.keystoneUserDomain!,
    projectDomain: parsed.keystoneProjectDomain!,
    cacheMs: parsed.keystoneCacheSeconds! * 1_000,
  };
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
}
