#!/usr/bin/env node
/**
 * npm run demo: against a running Kiln, from a recipe to a booted image, with the commands a user would type.
 *
 * Every command that is printed is the one that runs. Needs curl, tar and ssh-keygen; boots the result where
 * qemu-system-x86_64 is installed.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const USAGE = `Usage: npm run demo -- [--cloud FILE] [--recipe FOLDER] [--mirror URL] [--suite NAME] [--keep]

  --cloud FILE     clouds.yaml of the Kiln to use (default: <KILN_DATA_DIR or .kiln>/clouds.yaml)
  --recipe FOLDER  recipe to build (default: examples/debian-minimal)
  --mirror URL     Debian mirror for the build (default: the one this machine's apt uses)
  --suite NAME     Debian release (default: bookworm)
  --keep           keep the downloaded files`;

const options = readOptions(process.argv.slice(2));
const work = mkdtempSync(join(tmpdir(), 'kiln-demo-'));
process.on('exit', () => options.keep || rmSync(work, { recursive: true, force: true }));

try {
  await main();
} catch (error) {
  console.error(`\ndemo: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const cloud = readCloud(options.cloud);
  const mirror = options.mirror ?? mirrorOfThisMachine();
  const name = `demo-${Date.now().toString(36)}`;

  title('Sign in');
  const { token, catalog } = signIn(cloud);
  const image = endpoint(catalog, 'image');
  const base = image.replace(/\/image$/, '');
  const ims = `${base}/apis/ims/v3`;
  const api = (method, url, body) => curlJson(method, url, token, body);

  title('A public key for the job');
  run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(work, 'key')]);
  const key = api('POST', `${ims}/public-keys`, {
    name,
    public_key: readFileSync(join(work, 'key.pub'), 'utf8').trim(),
  });

  title('The recipe: pack it, place it, register it');
  const archive = join(work, 'recipe.tgz');
  run('tar', ['-C', options.recipe, '-czf', archive, '.']);
  const address = `recipes/${name}/recipe.tar.gz`;
  run('curl', curlArguments('PUT', `${base}/artifacts/ims/${address}`, token, ['-T', archive]), { hide: token });
  const recipe = api('POST', `${ims}/recipes`, {
    name,
    recipe_type: 'kiwi-ng',
    linux_distribution: 'debian12',
    link: { type: 's3', path: `s3://ims/${address}` },
    require_dkms: false,
    template_dictionary: [
      { key: 'IMAGE_NAME', value: name },
      { key: 'DEBIAN_MIRROR', value: mirror },
      { key: 'DEBIAN_SUITE', value: options.suite },
      { key: 'REPO_GPGCHECK', value: 'false' },
    ],
  });

  title('The job');
  const job = api('POST', `${ims}/jobs`, {
    job_type: 'create',
    artifact_id: recipe.id,
    public_key_id: key.id,
    image_root_archive_name: name,
  });
  const finished = await watch(`${ims}/jobs/${job.id}`, token);
  if (finished.status !== 'success') {
    console.log(
      tail(execFileSync('curl', curlArguments('GET', `${ims}/jobs/${job.id}/log`, token, [])).toString(), 20),
    );
    throw new Error(`the job ended in ${finished.status}: ${finished.cause?.message ?? 'no cause told'}`);
  }

  title('The same image in both catalogues');
  const record = api('GET', `${ims}/images/${finished.resultant_image_id}`);
  const shown = api('GET', `${image}/v2/images/${finished.resultant_image_id}`);
  console.log(`  IMS   ${record.id}  ${record.link.path}`);
  console.log(`  Image ${shown.id}  ${shown.status}, ${shown.size} bytes, sha512 ${shown.os_hash_value.slice(0, 16)}…`);

  title('Download and compare');
  const files = download(base, image, record, shown, token);

  title('Boot it');
  await boot(files, name);
}

function readOptions(args) {
  const found = {
    cloud: join(process.env.KILN_DATA_DIR ?? '.kiln', 'clouds.yaml'),
    recipe: resolve('examples/debian-minimal'),
    suite: 'bookworm',
    mirror: undefined,
    keep: false,
  };
  for (let at = 0; at < args.length; at += 1) {
    const name = args[at].replace(/^--/, '');
    if (args[at] === '--help') {
      console.log(USAGE);
      process.exit(0);
    }
    if (!args[at].startsWith('--') || !(name in found)) {
      console.error(USAGE);
      process.exit(2);
    }
    found[name] = name === 'keep' ? true : args[(at += 1)];
  }
  return found;
}

function readCloud(file) {
  if (!existsSync(file)) throw new Error(`${file} does not exist; run npm start in another terminal, or pass --cloud`);
  const { clouds } = parse(readFileSync(file, 'utf8'));
  const [cloud] = Object.values(clouds);
  return cloud.auth;
}

/** The first Debian source that apt is set up with, read when it is needed and kept nowhere. */
function mirrorOfThisMachine() {
  const text = ['/etc/apt/sources.list', ...listFiles('/etc/apt/sources.list.d')]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const found = /^URIs:\s*(\S+)/m.exec(text) ?? /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text);
  if (!found) throw new Error('no Debian mirror is set up on this machine; pass one with --mirror');
  return found[1].replace(/\/$/, '');
}

function listFiles(folder) {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /\.(sources|list)$/.test(name))
        .map((name) => join(folder, name))
    : [];
}

function signIn(auth) {
  const body = {
    auth: {
      identity: {
        methods: ['password'],
        password: {
          user: { name: auth.username, domain: { name: auth.user_domain_name ?? 'Default' }, password: auth.password },
        },
      },
      scope: { project: { name: auth.project_name, domain: { name: auth.project_domain_name ?? 'Default' } } },
    },
  };
  const url = `${auth.auth_url.replace(/\/v3\/?$/, '')}/v3/auth/tokens`;
  const args = [
    '-sS',
    '-i',
    '--fail-with-body',
    '-H',
    'Content-Type: application/json',
    '-d',
    JSON.stringify(body),
    url,
  ];
  const answer = run('curl', args, { quiet: true, hide: auth.password });
  const token = /^x-subject-token:\s*(\S+)/im.exec(answer)?.[1];
  if (!token) throw new Error(`cannot sign in at ${url}`);
  return { token, catalog: JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).token.catalog };
}

function endpoint(catalog, type) {
  return catalog.find((entry) => entry.type === type).endpoints.find((one) => one.interface === 'public').url;
}

function curlArguments(method, url, token, more) {
  return ['-sS', '--fail-with-body', '-X', method, '-H', `X-Auth-Token: ${token}`, ...more, url];
}

function curlJson(method, url, token, body) {
  const more = body ? ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)] : [];
  return JSON.parse(run('curl', curlArguments(method, url, token, more), { quiet: true, hide: token }));
}

/** Runs one command to its end, after showing it as a user would type it. */
function run(program, args, { quiet = false, hide } = {}) {
  show(program, args, hide);
  const { status, stdout, stderr, error } = spawnSync(program, args, { maxBuffer: 64 * 2 ** 20 });
  if (error) throw new Error(`${program} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${program} failed: ${stderr.toString().trim()} ${stdout.toString().trim()}`);
  if (!quiet && stdout.length > 0) console.log(stdout.toString().trimEnd());
  return stdout.toString();
}

function show(program, args, hide) {
  const words = [program, ...args].map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`,
  );
  const line = words.join(' ');
  console.log(`  $ ${hide ? line.replaceAll(hide, '…') : line}`);
}

async function watch(url, token) {
  show('curl', curlArguments('GET', url, token, []), token);
  const started = Date.now();
  for (;;) {
    const job = JSON.parse(execFileSync('curl', curlArguments('GET', url, token, [])).toString());
    const seconds = Math.round((Date.now() - started) / 1000);
    const line = `  ${String(seconds).padStart(4)} s  ${job.status}${job.percent === null ? '' : `  ${job.percent} %`}`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(60)}`);
    else console.log(line);
    if (job.status === 'success' || job.status === 'error') {
      if (process.stdout.isTTY) process.stdout.write('\n');
      return job;
    }
    await new Promise((later) => setTimeout(later, process.stdout.isTTY ? 1_000 : 5_000));
  }
}

function download(base, image, record, shown, token) {
  const rootfs = join(work, 'rootfs.squashfs');
  run('curl', curlArguments('GET', `${image}/v2/images/${shown.id}/file`, token, ['-o', rootfs]), { hide: token });
  const sum = run('sha512sum', [rootfs], { quiet: true }).split(' ')[0];
  if (sum !== shown.os_hash_value) throw new Error(`the download's sha512 is ${sum}, not ${shown.os_hash_value}`);
  console.log(`  ${statSync(rootfs).size} bytes, sha512 as recorded`);
  const address = (path) => `${base}/artifacts/${path.replace('s3://', '')}`;
  const manifest = curlJson('GET', address(record.link.path), token);
  const take = (kind) => {
    const { link } = manifest.artifacts.find((artifact) => artifact.type.endsWith(`.${kind}`));
    const file = join(work, kind);
    run('curl', curlArguments('GET', address(link.path), token, ['-o', file]), { hide: token });
    return file;
  };
  return { rootfs, kernel: take('kernel'), initrd: take('initrd') };
}

async function boot({ rootfs, kernel, initrd }, name) {
  if (spawnSync('qemu-system-x86_64', ['--version']).error) {
    console.log('  qemu-system-x86_64 is not installed: not booted');
    return;
  }
  const args = [
    ...[
      '-machine',
      'q35,accel=tcg',
      '-cpu',
      'max',
      '-m',
      '1024',
      '-smp',
      '2',
      '-nographic',
      '-nodefaults',
      '-no-reboot',
    ],
    ...['-serial', 'stdio', '-kernel', kernel, '-initrd', initrd],
    ...['-append', 'root=/dev/vda rootfstype=squashfs ro console=ttyS0 panic=-1'],
    ...['-drive', `file=${rootfs},format=raw,if=virtio,readonly=on`],
  ];
  show('qemu-system-x86_64', args);
  const machine = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const started = Date.now();
  let text = '';
  const found = await new Promise((done) => {
    const timer = setTimeout(() => done(false), 300_000);
    const finish = (result) => {
      clearTimeout(timer);
      done(result);
    };
    machine.on('exit', () => finish(false));
    machine.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes(`BOOT-MARKER ${name}`)) finish(true);
    });
  });
  machine.kill('SIGKILL');
  if (!found) throw new Error(`the image did not come up:\n${tail(text, 30)}`);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`  ${/BOOT-MARKER[^\r\n]*/.exec(text)[0]}   (${seconds} s)\n\nFrom recipe to a running system.`);
}

function title(text) {
  console.log(`\n${text}`);
}

function tail(text, lines) {
  return text.split('\n').slice(-lines).join('\n');
}
