import { isIP } from 'node:net';
import { parseExecutors } from './executor-rules.js';

/**
 * The whole list of settings. `loadConfig` reads them once per process; nothing else looks at the environment.
 * `docs/operations/configuration.md` and `.env.example` are generated from it.
 */
export interface Setting<T> {
  readonly name: `KILN_${string}`;
  /** Text form of the default, as a user would write it; absent: unset. */
  readonly default?: string;
  /** One line for the documentation; units are named. */
  readonly meaning: string;
  readonly secret?: boolean;
  /** Throws an `Error` whose message says what is expected. */
  readonly parse: (text: string) => T;
}

const text = (value: string): string => value;

const oneOf =
  <T extends string>(...values: T[]) =>
  (value: string): T => {
    if (!(values as string[]).includes(value)) throw new Error(`must be one of ${values.join(', ')}`);
    return value as T;
  };

const integer =
  (minimum: number, maximum: number) =>
  (value: string): number => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < minimum || number > maximum) {
      throw new Error(`must be a whole number from ${minimum} to ${maximum}`);
    }
    return number;
  };

const url =
  (...protocols: string[]) =>
  (value: string): string => {
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      throw new Error(`must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
    }
    return value.replace(/\/+$/, '');
  };

const names = (value: string): string[] =>
  value
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);

/** Some of the words, or the word `none`. */
const listOf =
  <T extends string>(...words: T[]) =>
  (value: string): T[] => {
    if (value.trim() === 'none') return [];
    const unknown = names(value).find((name) => !(words as string[]).includes(name));
    if (unknown !== undefined) throw new Error(`${unknown} is none of ${words.join(', ')}`);
    return words.filter((word) => names(value).includes(word));
  };

const jsonObject =
  <T>(parse: (value: unknown) => T) =>
  (text: string): Readonly<Record<string, T>> => {
    let found: unknown;
    try {
      found = JSON.parse(text);
    } catch {
      throw new Error('must be a JSON object');
    }
    if (typeof found !== 'object' || found === null || Array.isArray(found)) throw new Error('must be a JSON object');
    return Object.fromEntries(
      Object.entries(found).map(([key, value]) => {
        try {
          return [key, parse(value)];
        } catch (error) {
          throw new Error(`${key}: ${(error as Error).message}`, { cause: error });
        }
      }),
    );
  };

/** Names of regions as they stand in host names and credentials; one at least. */
const regions = (value: string): string[] => {
  const found = names(value);
  const wrong = found.find((name) => !/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(name));
  if (wrong !== undefined) throw new Error(`${wrong} is no name of a region`);
  if (found.length === 0) throw new Error('must name one region or more');
  return [...new Set(found)];
};

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const secretKey = (value: string): string => {
  if (value.length < 32) throw new Error('must have 32 characters or more');
  return value;
};

/** `36h`, `7d`, `90s`; milliseconds. */
function parseDuration(value: string): number {
  const match = /^(\d+)([smhd])$/.exec(value);
  if (!match) throw new Error('must be a duration such as 90s, 15m, 36h or 7d');
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}

/** Milliseconds a deleted thing is kept; null: for ever. */
function parseRetention(value: string): number | null {
  if (value === 'never') return null;
  if (value === '0') return 0;
  return parseDuration(value);
}

const list = (value: string): string[] =>
  value
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter(Boolean);

function parseHosts(value: string): string[] {
  return list(value).map((host) => {
    if (!/^(\*\.)?[a-z0-9_.:-]+$/.test(host))
      throw new Error(`${host} is no host name; write a.example.org or *.example.org`);
    return host;
  });
}

/** `30000-30099`, or one port; both ends included. */
function parsePortRange(value: string): readonly [number, number] {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) ?? [];
  const range = [Number(first), Number(last ?? first)] as const;
  if (first === undefined || range[0] > range[1] || range[1] > 65_535) throw new Error('must be a port or first-last');
  return range;
}

function parsePorts(value: string): number[] {
  return list(value).map(integer(1, 65_535));
}

/** What the operator opens to addresses that users choose: one place, or all addresses of a network. */
export type EgressOpening = { readonly host: string; readonly port: number } | { readonly cidr: string };

/** `10.0.0.0/8` */
function isNetwork(entry: string): boolean {
  const [, address, bits] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  return address !== undefined && isIP(address) > 0 && Number(bits) <= (isIP(address) === 4 ? 32 : 128);
}

function parseNetworks(value: string): string[] {
  return list(value).map((entry) => {
    if (!isNetwork(entry) && isIP(entry) === 0)
      throw new Error(`${entry} must be an address or a network such as 10.0.0.0/8`);
    return entry;
  });
}

function parseOpenings(value: string): EgressOpening[] {
  return list(value).map((entry) => {
    if (isNetwork(entry)) return { cidr: entry };
    const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+)):(\d{1,5})$/.exec(entry) ?? [];
    if (port === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) {
      throw new Error(`${entry} must be host:port or a network such as 10.0.0.0/8`);
    }
    return { host: bracketed ?? plain!, port: integer(1, 65_535)(port) };
  });
}

export type StoreConfig =
  | {
      readonly id: string;
      readonly type: 'file';
      readonly path: string;
      readonly description?: string;
      readonly weight?: number;
    }
  | {
      readonly id: string;
      readonly type: 's3';
      readonly endpoint?: string;
      readonly region: string;
      readonly bucket: string;
      /** Put before every key. */
      readonly prefix: string;
      readonly accessKeyId?: string;
      readonly secretAccessKey?: string;
      readonly forcePathStyle: boolean;
      readonly description?: string;
      /** Of two copies the one in the store that weighs more is read first. */
      readonly weight?: number;
    };

const STORE_KEYS = {
  file: ['id', 'type', 'path', 'description', 'weight'],
  s3: [
    'id',
    'type',
    'endpoint',
    'region',
    'bucket',
    'prefix',
    'accessKeyId',
    'secretAccessKey',
    'forcePathStyle',
    'description',
    'weight',
  ],
} as const;

function parseStores(value: string): StoreConfig[] {
  let list: unknown;
  try {
    list = JSON.parse(value);
  } catch {
    throw new Error('must be a JSON list of stores');
  }
  if (!Array.isArray(list) || list.length === 0) throw new Error('must be a JSON list with at least one store');
  const stores = list.map((entry: unknown, index) => parseStore(entry, index));
  const ids = new Set(stores.map((store) => store.id));
  if (ids.size !== stores.length) throw new Error('store ids must differ');
  return stores;
}

function parseStore(entry: unknown, index: number): StoreConfig {
  const at = `store ${index + 1}`;
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new Error(`${at} must be an object`);
  const store = entry as Record<string, unknown>;
  if (store.type !== 'file' && store.type !== 's3') throw new Error(`${at}: type must be file or s3`);
  const unknown = Object.keys(store).find(
    (key) => !(STORE_KEYS[store.type as 'file' | 's3'] as readonly string[]).includes(key),
  );
  if (unknown) throw new Error(`${at}: unknown key ${unknown}`);
  const string = (key: string, fallback?: string): string => {
    const found = store[key] ?? fallback;
    if (typeof found !== 'string' || found === '') throw new Error(`${at}: ${key} must be a text`);
    return found;
  };
  const optional = (key: string): string | undefined => (store[key] === undefined ? undefined : string(key));
  const id = string('id');
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Error(`${at}: id may hold letters, digits, - and _`);
  const description = optional('description');
  const { weight } = store;
  if (weight !== undefined && !Number.isInteger(weight)) throw new Error(`${at}: weight must be a whole number`);
  const common = { id, description, ...(weight === undefined ? {} : { weight: weight as number }) };
  if (store.type === 'file') return { ...common, type: 'file', path: string('path') };
  if (store.forcePathStyle !== undefined && typeof store.forcePathStyle !== 'boolean') {
    throw new Error(`${at}: forcePathStyle must be true or false`);
  }
  const endpoint = optional('endpoint');
  if (endpoint !== undefined && !(/^https?:/i.test(endpoint) && URL.canParse(endpoint))) {
    throw new Error(`${at}: endpoint must be an http:// or https:// address`);
  }
  // With one of them the SDK would silently look for others.
  if ((store.accessKeyId === undefined) !== (store.secretAccessKey === undefined)) {
    throw new Error(`${at}: accessKeyId and secretAccessKey go together`);
  }
  return {
    ...common,
    type: 's3',
    endpoint,
    region: string('region', 'us-east-1'),
    bucket: string('bucket'),
    prefix: store.prefix === '' ? '' : (optional('prefix') ?? ''),
    accessKeyId: optional('accessKeyId'),
    secretAccessKey: optional('secretAccessKey'),
    forcePathStyle: store.forcePathStyle !== false,
  };
}

/** The command line that a path is appended to. */
function parseCommand(value: string): string[] {
  let words: unknown;
  try {
    words = JSON.parse(value);
  } catch {
    words = undefined;
  }
  if (!Array.isArray(words) || words.length === 0 || !words.every((word) => typeof word === 'string' && word !== '')) {
    throw new Error('must be a JSON list of texts');
  }
  return words as string[];
}

const labelValue = (value: string): string => {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(value)) {
    throw new Error('must be a label value of Kubernetes: letters, digits, -, _ and . within, 63 characters at most');
  }
  return value;
};

const setting = <T>(
  name: `KILN_${string}`,
  parse: (value: string) => T,
  meaning: string,
  fallback?: string,
  secret = false,
): Setting<T> => ({ name, parse, meaning, default: fallback, secret });

export const SETTINGS = {
  host: setting('KILN_HOST', text, 'Address the API listens on.', '127.0.0.1'),
  port: setting('KILN_PORT', integer(0, 65_535), 'TCP port the API listens on; 0 takes a free one.', '8080'),
  trustedProxies: setting(
    'KILN_TRUSTED_PROXIES',
    parseNetworks,
    'Comma list of the addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For, -Host and -Proto are believed; unset: none.',
  ),
  publicUrl: setting(
    'KILN_PUBLIC_URL',
    url('http:', 'https:'),
    'Address under which clients reach Kiln; the service catalogue and every link use it. Default: the one that each request names.',
  ),
  region: setting('KILN_REGION', text, 'Region name in the service catalogue.', 'RegionOne'),
  dataDir: setting('KILN_DATA_DIR', text, 'Folder for everything Kiln keeps on this machine.', '.kiln'),
  role: setting('KILN_ROLE', oneOf('all', 'api', 'worker'), 'What this process does: all, api or worker.', 'all'),
  logLevel: setting(
    'KILN_LOG_LEVEL',
    oneOf('fatal', 'error', 'warn', 'info', 'debug'),
    'Least severe level logged.',
    'info',
  ),
  databaseUrl: setting(
    'KILN_DATABASE_URL',
    url('postgres:', 'postgresql:'),
    'PostgreSQL to use; unset: Kiln runs an embedded one in the data folder.',
    undefined,
    true,
  ),
  databasePoolSize: setting('KILN_DATABASE_POOL_SIZE', integer(2, 200), 'Connections to PostgreSQL per process.', '16'),
  redisUrl: setting(
    'KILN_REDIS_URL',
    url('redis:', 'rediss:'),
    'Redis that carries the queues (recommended in production); unset: PostgreSQL carries them.',
    undefined,
    true,
  ),
  stores: setting(
    'KILN_STORES',
    parseStores,
    'JSON list of object stores, the first is the default; unset: one file store in the data folder.',
    undefined,
    true,
  ),
  bootstrapFile: setting('KILN_BOOTSTRAP_FILE', text, 'YAML file that declares projects, users, roles and limits.'),
  policyFile: setting(
    'KILN_POLICY_FILE',
    text,
    'YAML or JSON file of policy rules that go before the built-in ones: names and check strings, as oslo.policy has them.',
  ),
  propertyProtectionFile: setting(
    'KILN_PROPERTY_PROTECTION_FILE',
    text,
    'File of rules that keep image properties to some roles; unset: no property is protected.',
  ),
  propertyProtectionFormat: setting(
    'KILN_PROPERTY_PROTECTION_FORMAT',
    oneOf('roles', 'policies'),
    'What the rules of that file name: roles, or policy rules.',
    'roles',
  ),
  tokenTtlSeconds: setting('KILN_TOKEN_TTL_SECONDS', integer(60, 31_536_000), 'Life of a token in seconds.', '3600'),
  rateLimit: setting(
    'KILN_RATE_LIMIT',
    integer(1, 1_000_000),
    'Requests a second of one credential, and of one address without a good one, counted over all processes; unset: no limit.',
  ),
  secretKey: setting(
    'KILN_SECRET_KEY',
    secretKey,
    'Key, of 32 characters or more, that seals the secrets of access keys; unset: secret.key in the data folder.',
    undefined,
    true,
  ),
  keystoneUrl: setting(
    'KILN_KEYSTONE_URL',
    url('http:', 'https:'),
    'Keystone whose tokens Kiln takes; unset: Kiln has an identity service of its own.',
  ),
  keystonePublicUrl: setting(
    'KILN_KEYSTONE_PUBLIC_URL',
    url('http:', 'https:'),
    'Address of that Keystone which clients are told. Default: KILN_KEYSTONE_URL.',
  ),
  keystoneUsername: setting(
    'KILN_KEYSTONE_USERNAME',
    text,
    'User with the role service or admin, as whom Kiln asks it.',
  ),
  keystonePassword: setting('KILN_KEYSTONE_PASSWORD', text, 'Password of that user.', undefined, true),
  keystoneProject: setting('KILN_KEYSTONE_PROJECT', text, 'Project of that user.'),
  keystoneUserDomain: setting('KILN_KEYSTONE_USER_DOMAIN', text, 'Domain of that user, by name.', 'Default'),
  keystoneProjectDomain: setting('KILN_KEYSTONE_PROJECT_DOMAIN', text, 'Domain of that project, by name.', 'Default'),
  keystoneCacheSeconds: setting(
    'KILN_KEYSTONE_CACHE_SECONDS',
    integer(0, 300),
    'How long a token of Keystone is trusted without asking again, in seconds; a revoked one lives as long.',
    '300',
  ),
  deletedRetention: setting(
    'KILN_DELETED_RETENTION',
    parseRetention,
    'How long deleted things can be brought back: 36h, 7d, never (for ever), 0 (not at all).',
    '30d',
  ),
  imageSizeMaxBytes: setting(
    'KILN_IMAGE_SIZE_MAX_BYTES',
    integer(1, Number.MAX_SAFE_INTEGER),
    'Largest image file in bytes.',
    String(2 ** 40),
  ),
  imageDiskFormats: setting(
    'KILN_IMAGE_DISK_FORMATS',
    list,
    'Comma list of the disk formats that images may have.',
    'ami,ari,aki,vhd,vhdx,vmdk,raw,qcow2,vdi,iso,ploop',
  ),
  imageContainerFormats: setting(
    'KILN_IMAGE_CONTAINER_FORMATS',
    list,
    'Comma list of the container formats that images may have.',
    'ami,ari,aki,bare,ovf,ova,docker,compressed',
  ),
  imageFormatCheck: setting(
    'KILN_IMAGE_FORMAT_CHECK',
    oneOf('on', 'off'),
    'Whether the data of an image must be of its disk_format: on, or off (then it is only refused where it is unsafe).',
    'on',
  ),
  imageVirtualSizeMaxBytes: setting(
    'KILN_IMAGE_VIRTUAL_SIZE_MAX_BYTES',
    integer(1, Number.MAX_SAFE_INTEGER),
    'Largest disk inside of an image in bytes.',
    String(2 ** 46),
  ),
  imageCertificatesDir: setting(
    'KILN_IMAGE_CERTIFICATES_DIR',
    text,
    'Folder of the certificates (<uuid>.pem) that signed images are verified with; unset: signed images are refused.',
  ),
  importMethods: setting(
    'KILN_IMPORT_METHODS',
    listOf('glance-direct', 'web-download', 'glance-download', 'copy-image'),
    'Comma list of the import methods that are offered; none: images cannot be imported.',
    'glance-direct,web-download,glance-download,copy-image',
  ),
  importConcurrency: setting('KILN_IMPORT_CONCURRENCY', integer(1, 64), 'Imports that one worker runs at once.', '4'),
  importDecompress: setting(
    'KILN_IMPORT_DECOMPRESS',
    oneOf('on', 'off'),
    'Whether imports unpack gzip files and zip files of one disk: on or off.',
    'off',
  ),
  importConvertTo: setting(
    'KILN_IMPORT_CONVERT_TO',
    oneOf('qcow2', 'raw', 'vmdk'),
    'Disk format that imports are converted to: qcow2, raw or vmdk; unset: they stay what they are.',
  ),
  importWorkBytes: setting(
    'KILN_IMPORT_WORK_BYTES',
    integer(1, Number.MAX_SAFE_INTEGER),
    'Largest file in bytes, before and after, that an import is unpacked or converted in.',
    String(64 * 2 ** 30),
  ),
  importWorkTimeout: setting(
    'KILN_IMPORT_WORK_TIMEOUT',
    parseDuration,
    'Longest time that an import is unpacked and converted for.',
    '1h',
  ),
  importInjectProperties: setting(
    'KILN_IMPORT_INJECT_PROPERTIES',
    jsonObject((value) => {
      if (typeof value !== 'string') throw new Error('must be a text');
      return value;
    }),
    'JSON object of properties that an import adds to the image.',
    '{}',
  ),
  importInjectIgnoreRoles: setting(
    'KILN_IMPORT_INJECT_IGNORE_ROLES',
    names,
    'Comma list of roles whose imports get no properties from KILN_IMPORT_INJECT_PROPERTIES.',
    'admin',
  ),
  imageCache: setting(
    'KILN_IMAGE_CACHE',
    oneOf('on', 'off'),
    'Whether image files of remote stores are kept on this machine when they are downloaded: on or off.',
    'on',
  ),
  imageCacheMaxBytes: setting(
    'KILN_IMAGE_CACHE_MAX_BYTES',
    integer(0, Number.MAX_SAFE_INTEGER),
    'Disk in bytes that cached image files may use; those not read for longest go first.',
    String(10 * 2 ** 30),
  ),
  metadefsDir: setting(
    'KILN_METADEFS_DIR',
    text,
    'Folder of metadata definitions (JSON files, one namespace each); those that are not there yet are added at the start.',
  ),
  glanceRegions: setting(
    'KILN_GLANCE_REGIONS',
    jsonObject((interfaces) => {
      if (typeof interfaces !== 'object' || interfaces === null) throw new Error('must be an object of endpoints');
      return Object.fromEntries(
        Object.entries(interfaces).map(([name, address]) => [name, url('http:', 'https:')(String(address))]),
      );
    }),
    'JSON object of the other regions that images may be imported from: {"RegionTwo": {"public": "https://two.example.org/image"}}.',
    '{}',
  ),
  imageLocations: setting(
    'KILN_IMAGE_LOCATIONS',
    oneOf('hidden', 'shown'),
    'Whether images show where their bytes are and take locations on the web: hidden or shown.',
    'hidden',
  ),
  imageDirectUrl: setting(
    'KILN_IMAGE_DIRECT_URL',
    oneOf('hidden', 'shown'),
    'Whether images show the address of their first location as direct_url: hidden or shown.',
    'hidden',
  ),
  imsOpenProject: setting(
    'KILN_IMS_OPEN_PROJECT',
    text,
    'Project for which IMS requests without credentials act as a member; unset: they are refused.',
  ),
  imsPrefix: setting(
    'KILN_IMS_PREFIX',
    (value) => {
      if (!/^(\/[\w.~-]+)+$/.test(value)) throw new Error('must be a path such as /ims, without a final slash');
      return value;
    },
    'Path at which IMS is served too, beside /apis/ims.',
  ),
  imsSshSubnet: setting('KILN_IMS_SSH_SUBNET', text, 'Subnet word in the host names of job shells.', 'cmn'),
  imsSshDomain: setting('KILN_IMS_SSH_DOMAIN', text, 'Domain in the host names of job shells.', 'shasta.local'),
  imsNamespace: setting(
    'KILN_IMS_NAMESPACE',
    text,
    'Namespace that builds in Kubernetes run in, and that the records of jobs name.',
    'ims',
  ),
  imsBuildEnvSize: setting(
    'KILN_IMS_BUILD_ENV_SIZE',
    integer(1, 1_000_000),
    'Size in GiB of the build environment of jobs that ask for none. In Kubernetes the volume and the executor follow from it.',
    '15',
  ),
  imsJobMemSize: setting(
    'KILN_IMS_JOB_MEM_SIZE',
    integer(1, 1_000_000),
    'Memory in GiB of jobs that ask for none. In Kubernetes a pod requests it, and may use five times as much.',
    '8',
  ),
  imsRequireDkms: setting(
    'KILN_IMS_REQUIRE_DKMS',
    oneOf('on', 'off'),
    'Whether jobs that customize an image need kernel modules (dkms) unless they say otherwise: on or off.',
    'on',
  ),
  imsManifestLimitBytes: setting(
    'KILN_IMS_MANIFEST_LIMIT_BYTES',
    integer(1, 64 * 1024 * 1024),
    'From this many bytes on, an object is too large to be the manifest of an image.',
    '1048576',
  ),
  imsDistributions: setting(
    'KILN_IMS_DISTRIBUTIONS',
    names,
    'Comma list of linux distributions a recipe may name beside sles12, sles15 and centos7.',
    'opensuse-leap15,rocky9,debian12,ubuntu2404',
  ),
  parallelClusterRegions: setting(
    'KILN_PARALLELCLUSTER_REGIONS',
    regions,
    'Comma list of the regions that the ParallelCluster API knows; the first is the default.',
    'us-east-1',
  ),
  parallelClusterPageSize: setting(
    'KILN_PARALLELCLUSTER_PAGE_SIZE',
    integer(1, 1_000),
    'Images on one page of the ParallelCluster API.',
    '100',
  ),
  signingRegions: setting(
    'KILN_SIGNING_REGIONS',
    regions,
    'Comma list of the regions for which requests may be signed with access keys; unset: any.',
  ),
  foremanArchitectureCheck: setting(
    'KILN_FOREMAN_ARCHITECTURE_CHECK',
    oneOf('on', 'off'),
    'Whether the architecture of a Foreman image must be that of the image it points at, where that is known.',
    'on',
  ),
  failedLogins: setting(
    'KILN_FAILED_LOGINS',
    integer(0, 1_000_000),
    'Wrong logins and signatures of one address within 5 minutes behind which Foreman and ParallelCluster refuse further ones; 0: no limit.',
    '30',
  ),
  buildConcurrency: setting('KILN_BUILD_CONCURRENCY', integer(1, 64), 'Builds that one worker runs at once.', '2'),
  customizeConcurrency: setting(
    'KILN_CUSTOMIZE_CONCURRENCY',
    integer(1, 256),
    'Images that are customized at once on one worker, open shells included.',
    '4',
  ),
  buildRepos: setting('KILN_BUILD_REPOS', text, 'Folder of package repositories that builds see read-only at /repo.'),
  buildCaFile: setting(
    'KILN_BUILD_CA_FILE',
    text,
    "File of certificates (PEM) of the site's authorities: builds trust them, and images have them in /etc/cray/ca.",
  ),
  buildTimeout: setting('KILN_BUILD_TIMEOUT', parseDuration, 'Longest time of one build.', '2h'),
  scriptTimeout: setting(
    'KILN_SCRIPT_TIMEOUT',
    parseDuration,
    'Longest time of one script that customizes an image, and of the update of its packages.',
    '1h',
  ),
  shellHost: setting(
    'KILN_SHELL_HOST',
    text,
    'Host that users are told for the shells of jobs on this machine. Default: that of KILN_PUBLIC_URL, else what shells listen on, else the name of this machine.',
  ),
  shellBind: setting(
    'KILN_SHELL_BIND',
    text,
    'Address that the shells of jobs listen on. Default: KILN_HOST; all of them in a worker, and where KILN_PUBLIC_URL is not this machine itself.',
  ),
  shellPorts: setting(
    'KILN_SHELL_PORTS',
    parsePortRange,
    'First and last port (30000-30099) of the shells of jobs; 0: any that is free.',
    '0',
  ),
  shellTimeout: setting('KILN_SHELL_TIMEOUT', parseDuration, 'How long the shell of a job may stay open.', '24h'),
  buildDiskBytes: setting(
    'KILN_BUILD_DISK_BYTES',
    integer(1, Number.MAX_SAFE_INTEGER),
    'Disk in bytes that one build may use.',
    String(20 * 2 ** 30),
  ),
  buildOutputBytes: setting(
    'KILN_BUILD_OUTPUT_BYTES',
    integer(1, Number.MAX_SAFE_INTEGER),
    'Largest result of one build in bytes.',
    String(8 * 2 ** 30),
  ),
  buildLogBytes: setting(
    'KILN_BUILD_LOG_BYTES',
    integer(1024, 2 ** 30),
    'Longest log kept of one job in bytes.',
    String(32 * 2 ** 20),
  ),
  buildCompressionLevel: setting(
    'KILN_BUILD_COMPRESSION_LEVEL',
    integer(1, 22),
    'zstd level of the root file system.',
    '3',
  ),
  buildMemoryBytes: setting(
    'KILN_BUILD_MEMORY_BYTES',
    integer(2 ** 20, Number.MAX_SAFE_INTEGER),
    'Address space in bytes that one process of a build may use; unset: no limit.',
  ),
  buildsRunning: setting(
    'KILN_BUILDS_RUNNING',
    integer(1, 100_000),
    'Builds that run at once over all workers and executors; unset: as many as the workers take.',
  ),
  customizingRunning: setting(
    'KILN_CUSTOMIZE_RUNNING',
    integer(1, 100_000),
    'Images that are customized at once over all workers and executors, open shells included; unset: as many as the workers take.',
  ),
  executors: setting(
    'KILN_EXECUTORS',
    parseExecutors,
    'JSON list of rules that say where builds run, by arch and maxSizeGib; the first that fits decides: [{"executor": "kubernetes", "arch": "x86_64"}, {"executor": "local"}].',
    '[{"executor": "local"}]',
  ),
  kubernetesKubeconfig: setting(
    'KILN_KUBERNETES_KUBECONFIG',
    text,
    'Path of the kubeconfig to reach the cluster with; unset: the service account of the pod that the worker runs in.',
  ),
  kubernetesInstance: setting(
    'KILN_KUBERNETES_INSTANCE',
    labelValue,
    'Name that tells the objects of this Kiln from those of another one in the same namespace.',
    'kiln',
  ),
  kubernetesImage: setting('KILN_KUBERNETES_IMAGE', text, 'Container image of the builder.', 'kiln:local'),
  kubernetesCommand: setting(
    'KILN_KUBERNETES_COMMAND',
    parseCommand,
    'JSON list: the command that starts the builder program in that image.',
    '["node", "/app/dist/src/builders/program/main.js"]',
  ),
  kubernetesPullPolicy: setting(
    'KILN_KUBERNETES_PULL_POLICY',
    oneOf('Always', 'IfNotPresent', 'Never'),
    'When nodes fetch that image: Always, IfNotPresent or Never.',
    'IfNotPresent',
  ),
  kubernetesPullSecret: setting(
    'KILN_KUBERNETES_PULL_SECRET',
    text,
    'Secret of the namespace with the credentials of the registry.',
  ),
  kubernetesApiUrl: setting(
    'KILN_KUBERNETES_API_URL',
    url('http:', 'https:'),
    'Address under which the pods of builds reach the API. Default: KILN_PUBLIC_URL.',
  ),
  kubernetesServiceType: setting(
    'KILN_KUBERNETES_SERVICE_TYPE',
    oneOf('LoadBalancer', 'NodePort', 'ClusterIP'),
    'Type of the Services that lead to job shells.',
    'LoadBalancer',
  ),
  kubernetesAddressPool: setting(
    'KILN_KUBERNETES_ADDRESS_POOL',
    text,
    'Address pool that Services of the type LoadBalancer ask for; none: they ask for no pool.',
    'customer-management',
  ),
  kubernetesShellHost: setting(
    'KILN_KUBERNETES_SHELL_HOST',
    text,
    'Host that users reach Services of the type NodePort at; unset: the node that the pod is on.',
  ),
  kubernetesWorkVolume: setting(
    'KILN_KUBERNETES_WORK_VOLUME',
    oneOf('claim', 'ephemeral'),
    'Where builds work: on a PersistentVolumeClaim of their own, or on the ephemeral storage of the node.',
    'claim',
  ),
  kubernetesStorageClass: setting(
    'KILN_KUBERNETES_STORAGE_CLASS',
    text,
    'Storage class of those claims; unset: the default of the cluster.',
  ),
  kubernetesStartTimeout: setting(
    'KILN_KUBERNETES_START_TIMEOUT',
    parseDuration,
    'How long a pod may wait for a node, its volume or its image before the job fails.',
    '10m',
  ),
  egressAllow: setting(
    'KILN_EGRESS_ALLOW',
    parseOpenings,
    'Comma list of host:port or networks (10.0.0.0/8) that addresses given by users may reach though they are not public.',
  ),
  egressSchemes: setting(
    'KILN_EGRESS_SCHEMES',
    (value) => {
      const schemes = list(value);
      if (!schemes.every((scheme) => scheme === 'http' || scheme === 'https'))
        throw new Error('may hold http and https');
      return schemes;
    },
    'Comma list of the only schemes that addresses given by users may have; unset: http,https less what is denied.',
  ),
  egressSchemesDenied: setting(
    'KILN_EGRESS_SCHEMES_DENIED',
    list,
    'Comma list of schemes that addresses given by users may not have; not looked at where KILN_EGRESS_SCHEMES is set.',
  ),
  egressHosts: setting(
    'KILN_EGRESS_HOSTS',
    parseHosts,
    'Comma list of the only hosts (a.example.org, *.example.org) that addresses given by users may name; unset: any.',
  ),
  egressHostsDenied: setting(
    'KILN_EGRESS_HOSTS_DENIED',
    parseHosts,
    'Comma list of hosts that addresses given by users may not name; not looked at where KILN_EGRESS_HOSTS is set.',
  ),
  egressPorts: setting(
    'KILN_EGRESS_PORTS',
    parsePorts,
    'Comma list of the only ports that addresses given by users may name; unset: 80,443, or any that is not denied.',
  ),
  egressPortsDenied: setting(
    'KILN_EGRESS_PORTS_DENIED',
    parsePorts,
    'Comma list of ports that addresses given by users may not name; not looked at where KILN_EGRESS_PORTS is set.',
  ),
  egressConnectTimeout: setting(
    'KILN_EGRESS_CONNECT_TIMEOUT',
    parseDuration,
    'Longest time to resolve a name and connect to it.',
    '10s',
  ),
  egressIdleTimeout: setting(
    'KILN_EGRESS_IDLE_TIMEOUT',
    parseDuration,
    'Longest time in which the other side sends nothing.',
    '60s',
  ),
  egressTotalTimeout: setting('KILN_EGRESS_TOTAL_TIMEOUT', parseDuration, 'Longest time of one download.', '6h'),
  egressRedirects: setting('KILN_EGRESS_REDIRECTS', integer(0, 20), 'Most redirects that are followed.', '5'),
  jobLease: setting('KILN_JOB_LEASE', parseDuration, 'How long a worker that stopped answering keeps its job.', '20s'),
} as const;
