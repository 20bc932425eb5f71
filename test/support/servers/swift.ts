import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../ports.js';
import { findProgram } from '../programs.js';

/** What must be installed for `startSwift`; `npm run setup:debian` does. */
export const SWIFT_PROGRAMS = [
  'swift-proxy-server',
  'swift-account-server',
  'swift-container-server',
  'swift-object-server',
  'memcached',
] as const;

/** A running OpenStack Swift that speaks S3, with one bucket. */
export interface Swift {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /**
   * Pieces that multipart uploads stored and that no object consists of, and uploads that are not finished; looked up
   * through Swift's own interface, so that it does not take the word of what is tested.
   */
  leftovers(): Promise<string[]>;
  stop(): Promise<void>;
}

// Debian's own: Swift is installed for no other.
const PYTHON = '/usr/bin/python3';
const SCRIPT = resolve('test/support/servers/swift-server.py');
const SERVERS = ['account', 'container', 'object', 'proxy'] as const;
const READY_WITHIN_MS = 120_000;
const USER = { account: 'kiln', name: 'tester', password: 'testing' };

/** Starts memcached and Swift's four servers as children on free ports of 127.0.0.1, with everything in one new folder. */
export async function startSwift(bucket = 'kiln-test'): Promise<Swift> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-swift-'));
  const children: { name: string; process: ChildProcess; exited: Promise<unknown> }[] = [];
  const start = (name: string, program: string, args: readonly string[]): void => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.pipe(createWriteStream(join(folder, `${name}.log`)));
    children.push({ name, process: child, exited: once(child, 'exit') });
  };
  const stop = async (): Promise<void> => {
    for (const { process: child } of children) if (!hasEnded(child)) child.kill('SIGKILL');
    await Promise.all(children.map(({ exited }) => exited));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [account, container, object, proxy, memcached] = await freePorts(5);
    await writeConfiguration(folder, { account, container, object, proxy, memcached } as Ports);
    await run(PYTHON, [SCRIPT, 'rings', folder, String(account), String(container), String(object)]);
    // As root it wants to be told whom to become, and root will do.
    const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
    start('memcached', findProgram('memcached')!, ['-l', '127.0.0.1', '-p', String(memcached), '-m', '16', ...user]);
    for (const name of SERVERS) start(name, PYTHON, [SCRIPT, name, folder]);
    const server = {
      endpoint: `http://127.0.0.1:${proxy}`,
      bucket,
      region: 'us-east-1',
      accessKeyId: `${USER.account}:${USER.name}`,
      secretAccessKey: USER.password,
    };
    await createBucket(server, async () => {
      const ended = children.find(({ process: child }) => hasEnded(child));
      if (!ended) return undefined;
      return `${ended.name} ended: ${await readFile(join(folder, `${ended.name}.log`), 'utf8')}`;
    });
    return { ...server, leftovers: () => findLeftovers(server.endpoint, bucket), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Ports = Record<(typeof SERVERS)[number] | 'memcached', number>;

async function writeConfiguration(folder: string, ports: Ports): Promise<void> {
  await mkdir(join(folder, 'devices', 'disk'), { recursive: true });
  const common = (port: number): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
# One process that neither forks nor changes its user.
workers = 0
swift_dir = ${folder}
log_level = WARNING
# Where there is no /dev/log nobody listens, and standard error gets the log as well.
log_address = ${join(folder, 'no-syslog')}
`;
  const storage = (kind: 'account' | 'container' | 'object'): string => `${common(ports[kind])}
devices = ${join(folder, 'devices')}
# The device is a plain folder, and may be on a disk that is nearly full.
mount_check = false
fallocate_reserve = 0
# No updater runs that would catch up later, so the containers' listings have to be told now.
container_update_timeout = 30
conn_timeout = 10
node_timeout = 30

[pipeline:main]
pipeline = ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}
`;
  const proxy = `${common(ports.proxy)}
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# There is only one device, so none may be left alone for a minute because it did not answer while it started.
error_suppression_limit = 1000000
# The machine may be busy with other tests.
conn_timeout = 10
node_timeout = 30
recoverable_node_timeout = 30

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${ports.memcached}

[filter:listing_formats]
use = egg:swift#listing_formats

# Pages are short, so that a few objects, uploads and parts fill several; a thousand parts at most, as delivered.
[filter:s3api]
use = egg:swift#s3api
max_bucket_listing = 10
max_parts_listing = 2

[filter:tempauth]
use = egg:swift#tempauth
user_${USER.account}_${USER.name} = ${USER.password} .admin

# Multipart uploads become static large objects.
[filter:slo]
use = egg:swift#slo
`;
  const files = {
    'swift.conf': '[swift-hash]\nswift_hash_path_suffix = kiln\n\n[storage-policy:0]\nname = one\ndefault = yes\n',
    'account.conf': storage('account'),
    'container.conf': storage('container'),
    'object.conf': storage('object'),
    'proxy.conf': proxy,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** Makes the bucket, and waits until it takes an object: that asks every one of the servers. */
async function createBucket(
  server: { endpoint: string; bucket: string; region: string; accessKeyId: string; secretAccessKey: string },
  problem: () => Promise<string | undefined>,
): Promise<void> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });
  const probe = { Bucket: bucket, Key: 'ready' };
  const steps = [
    new CreateBucketCommand({ Bucket: bucket }),
    new PutObjectCommand({ ...probe, Body: 'yes' }),
    new DeleteObjectCommand(probe),
  ];
  const deadline = Date.now() + READY_WITHIN_MS;
  try {
    while (steps.length > 0) {
      try {
        await client.send(steps[0]! as PutObjectCommand);
        steps.shift();
      } catch (error) {
        // A repetition after an answer that came too late.
        if (error instanceof BucketAlreadyOwnedByYou) {
          steps.shift();
          continue;
        }
        const reason = await problem();
        if (reason !== undefined) throw new Error(`Swift does not start: ${reason}`, { cause: error });
        if (Date.now() > deadline) throw error;
        await delay(100);
      }
    }
  } finally {
    client.destroy();
  }
}

async function findLeftovers(endpoint: string, bucket: string): Promise<string[]> {
  const signedIn = await fetch(`${endpoint}/auth/v1.0`, {
    headers: { 'x-auth-user': `${USER.account}:${USER.name}`, 'x-auth-key': USER.password },
  });
  const token = signedIn.headers.get('x-auth-token');
  if (!token) throw new Error(`cannot sign in to Swift: ${signedIn.status}`);
  const names = async (container: string): Promise<string[]> => {
    const url = `${endpoint}/v1/AUTH_${USER.account}/${encodeURIComponent(container)}?limit=10000`;
    const answer = await fetch(url, { headers: { 'x-auth-token': token } });
    if (answer.status === 404) return [];
    if (!answer.ok) throw new Error(`cannot list ${container}: ${answer.status}`);
    return (await answer.text()).split('\n').filter(Boolean);
  };
  // Marks of uploads are `<key>/<upload id>`, pieces `<key>/<upload id>/<number>`, beside the bucket.
  const pieces = await names(`${bucket}+segments`);
  const objects = new Set(await names(bucket));
  return pieces.filter((name) => !objects.has(name.replace(/\/[^/]+(\/\d+)?$/, '')));
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${output}`);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
