#!/usr/bin/env node
// `npm run tempest`: OpenStack's own tests of an image service, unchanged, against a Kiln with everything switched on.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { root } from './lib/project.mjs';

const USAGE = `Usage: npm run tempest [-- [--regex PATTERN] [--write] [--keep]]

Starts Kiln in a temporary folder with every feature of its Image API, and runs the image tests of the tempest that is
installed (npm run setup:debian) with accounts made beforehand. Prints a table; fails when a test does without a reason that is known here.

  --regex PATTERN  the tests to run (default: ^tempest\\.api\\.image)
  --write          put the table into docs/faces/glance.md
  --keep           keep the folder, with the logs of both
`;

/** Why a test does not pass, by a part of its name. */
const REASONS = [
  ['test_remote_', 'needs a second image endpoint in the catalogue; every process of a Kiln does the same'],
  ['image.v1.', 'version 1 of the API, which is no more'],
];

const PAGE = join(root, 'docs', 'faces', 'glance.md');
const [BEGIN, END] = ['<!-- tempest: begin -->', '<!-- tempest: end -->'];
const READY_WITHIN_MS = 180_000;
const PROJECTS = ['one', 'two', 'three', 'four'];

async function main() {
  const options = { keep: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean' } };
  const { values } = parseArgs({
    options: { ...options, regex: { type: 'string', default: '^tempest\\.api\\.image' } },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const folder = await mkdtemp(join(tmpdir(), 'kiln-tempest-'));
  const web = await serveImage();
  const kiln = await startKiln(folder, web.port);
  try {
    await configure(folder, kiln.url, web.url);
    const results = await runTempest(folder, values.regex);
    const table = render(results);
    process.stdout.write(`\n${table}\n`);
    if (values.write) await writeTable(table);
    if (results.length === 0 || results.some(({ name, state }) => state === 'FAILED' && !reasonOf(name)))
      process.exitCode = 1;
  } finally {
    await kiln.stop();
    web.server.closeAllConnections();
    web.server.close();
    if (values.keep) process.stdout.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What `http_image` names: any bytes will do. */
async function serveImage() {
  const image = randomBytes(100_000);
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-length': image.length, 'content-type': 'application/octet-stream' });
    response.end(request.method === 'HEAD' ? undefined : image);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return { server, port, url: `http://127.0.0.1:${port}/image` };
}

async function startKiln(folder, webPort) {
  const bootstrap = join(folder, 'bootstrap.yaml');
  const user = (name, project, role) => ({ name, password: `s3cret-${name}`, roles: [{ project, role }] });
  const users = [...PROJECTS.map((project) => user(project, project, 'member')), user('boss', 'admin', 'admin')];
  await writeFile(bootstrap, stringify({ projects: [...PROJECTS, 'admin'].map((name) => ({ name })), users }));
  // Its tests of metadata definitions take the first resource type there is.
  const definitions = join(folder, 'metadefs');
  await mkdir(definitions);
  await writeFile(
    join(definitions, 'example.json'),
    JSON.stringify({
      namespace: 'OS::Example',
      visibility: 'public',
      protected: true,
      resource_type_associations: [{ name: 'OS::Glance::Image' }],
    }),
  );
  const policy = join(folder, 'policy.yaml');
  // As they know it from releases in which owners removed locations, too.
  await writeFile(policy, stringify({ delete_image_location: 'rule:set_image_location' }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KILN_')));
  const kiln = spawn(process.execPath, [join(root, 'scripts', 'start.mjs')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...env,
      KILN_PORT: String(port),
      KILN_DATA_DIR: join(folder, 'data'),
      KILN_BOOTSTRAP_FILE: bootstrap,
      KILN_LOG_LEVEL: 'warn',
      KILN_STORES: JSON.stringify(['fast', 'archive'].map((id) => ({ id, type: 'file', path: join(folder, id) }))),
      KILN_METADEFS_DIR: definitions,
      KILN_POLICY_FILE: policy,
      KILN_IMAGE_LOCATIONS: 'shown',
      // These tests upload random bytes as qcow2 and others.
      KILN_IMAGE_FORMAT_CHECK: 'off',
      KILN_EGRESS_ALLOW: `127.0.0.1:${webPort}`,
    },
  });
  let output = '';
  for (const stream of [kiln.stdout, kiln.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exited = once(kiln, 'exit');
  const stop = async () => {
    if (kiln.exitCode === null && kiln.signalCode === null) kiln.kill('SIGTERM');
    await exited;
    await writeFile(join(folder, 'kiln.log'), output);
  };
  for (const deadline = Date.now() + READY_WITHIN_MS; ; await delay(200)) {
    const alive = await fetch(`${url}/healthz/live`).catch(() => undefined);
    if (alive?.ok) return { url, stop };
    if (kiln.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`Kiln does not start:\n${output}`);
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

async function configure(folder, url, imageUrl) {
  // Tempest notes its workspaces in the home of whoever runs it.
  await mkdir(join(folder, 'home'));
  await tempest(folder, ['init', 'workspace']);
  const etc = join(folder, 'workspace', 'etc');
  const account = (name, project, more) => ({
    username: name,
    password: `s3cret-${name}`,
    project_name: project,
    ...more,
  });
  const accounts = PROJECTS.map((name) => account(name, name, { roles: ['member'] }));
  accounts.push(account('boss', 'admin', { types: ['admin'], roles: ['admin'] }));
  await writeFile(join(etc, 'accounts.yaml'), stringify(accounts));
  await writeFile(
    join(etc, 'tempest.conf'),
    `[DEFAULT]
log_file = tempest.log
log_dir = ${folder}
[oslo_concurrency]
lock_path = ${join(folder, 'locks')}
[auth]
use_dynamic_credentials = false
test_accounts_file = ${join(etc, 'accounts.yaml')}
[identity]
auth_version = v3
uri_v3 = ${url}/identity/v3
region = RegionOne
v3_endpoint_type = publicURL
[image]
http_image = ${imageUrl}
image_caching_enabled = true
build_timeout = 60
[image-feature-enabled]
import_image = true
os_glance_reserved = true
manage_locations = true
[enforce_scope]
glance = true
[service_available]
glance = true
cinder = false
nova = false
neutron = false
swift = false
horizon = false
`,
  );
}

function tempest(folder, words, onText = () => undefined) {
  const workspace = join(folder, 'workspace');
  const cwd = words[0] === 'init' ? folder : workspace;
  const child = spawn('tempest', words, {
    cwd,
    env: { ...process.env, HOME: join(folder, 'home') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
      onText(String(chunk));
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`tempest: ${error.message}; npm run setup:debian installs it`)));
    child.once('close', (code) => {
      // Failed tests are results; only `run` has them.
      if (code === 0 || words[0] === 'run') resolve(output);
      else reject(new Error(`tempest ${words.join(' ')}:\n${output}`));
    });
  });
}

async function runTempest(folder, regex) {
  const output = await tempest(folder, ['run', '--serial', '--regex', regex], (text) => process.stdout.write(text));
  // {0} tempest.api.image.v2.test_images.ListImagesTest.test_x [0.1s] ... ok
  // {0} setUpClass (tempest.api.image.v2.test_images.ImportImagesTest) ... SKIPPED: why
  const line =
    /^\{\d+\} (?:(?:setUpClass|tearDownClass) \(([\w.]+)\)|([\w.]+))(?: \[[\d.]+s?\])? \.\.\. (ok|FAILED|SKIPPED(?:: (.*))?)$/gm;
  return [...output.matchAll(line)].map(([, group, name, state, why]) => ({
    name: name ?? group,
    state: state.startsWith('SKIPPED') ? 'SKIPPED' : state,
    why,
  }));
}

const reasonOf = (name) => REASONS.find(([part]) => name.includes(part))?.[1];

function render(results) {
  const folder = (name) => name.replace(/^tempest\.api\.image\./, '').replace(/^(.*?[a-z_0-9]+)\.([A-Z].*)$/, '$1');
  const files = new Map();
  for (const { name, state } of results) {
    const counts = files.get(folder(name)) ?? { ok: 0, SKIPPED: 0, FAILED: 0 };
    counts[state] += 1;
    files.set(folder(name), counts);
  }
  const rows = [...files]
    .sort()
    .map(([name, { ok, SKIPPED, FAILED }]) => `| \`${name}\` | ${ok} | ${SKIPPED} | ${FAILED} |`);
  const total = (state) => results.filter((result) => result.state === state).length;
  const others = results.filter(({ state }) => state !== 'ok').sort((a, b) => (a.name < b.name ? -1 : 1));
  const reason = ({ name, why }) => reasonOf(name) ?? why ?? 'to be mended';
  return [
    '| tests of tempest | passed | skipped | failed |',
    '|---|---|---|---|',
    ...rows,
    `| all | ${total('ok')} | ${total('SKIPPED')} | ${total('FAILED')} |`,
    '',
    ...(others.length === 0 ? [] : ['| not passed | | reason |', '|---|---|---|']),
    ...others.map(
      (result) =>
        `| \`${result.name.replace(/^tempest\.api\.image\./, '')}\` | ${result.state.toLowerCase()} | ${reason(result)} |`,
    ),
  ].join('\n');
}

async function writeTable(table) {
  const page = await readFile(PAGE, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for the table: ${BEGIN} … ${END}`);
  await writeFile(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${page.slice(end)}`);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
