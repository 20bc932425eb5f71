#!/usr/bin/env node
// `npm run e2e:kubernetes`: builds in a real cluster, from a recipe to an image and to nothing left behind.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { access, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './lib/project.mjs';

const USAGE = `Usage: npm run e2e:kubernetes [-- --image OUT.tar]

Runs test/e2e/kubernetes and test/integration/kubernetes against the cluster that KILN_TEST_KUBECONFIG names: a kubeconfig of
an administrator (the tests make namespaces), whose nodes can reach this machine and have

  localhost/kiln/kiln:1      the builder (another one: KILN_TEST_BUILDER_IMAGE)
  localhost/kiln/busybox:1   any image with a shell and sed, for the second

KILN_TEST_IMAGE_LOAD is a command that puts an image archive, its $1, onto those nodes: with it the builder is made and loaded first.
For one node of containerd: KILN_TEST_IMAGE_LOAD='ctr --namespace k8s.io images import "$1"'.

  --image OUT.tar   writes the first as an archive for \`ctr --namespace k8s.io images import\`, and does nothing else
`;

const args = process.argv.slice(2);
const kubeconfig = process.env.KILN_TEST_KUBECONFIG;
if (args[0] === '--image' && args[1]) {
  await writeImage(args[1]);
} else if (args.length > 0) {
  process.stderr.write(USAGE);
  process.exit(args[0] === '--help' ? 0 : 2);
} else if (!kubeconfig) {
  process.stderr.write(`KILN_TEST_KUBECONFIG names no cluster.\n\n${USAGE}`);
  process.exit(2);
} else {
  await access(kubeconfig);
  if (process.env.KILN_TEST_IMAGE_LOAD) await loadImage(process.env.KILN_TEST_IMAGE_LOAD);
  const files = ['test/e2e/kubernetes', 'test/integration/kubernetes'].map((path) => join(root, path));
  await run(process.execPath, [join(root, 'scripts', 'test.mjs'), '--runInBand', ...files]);
}

async function loadImage(command) {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-image-'));
  const archive = join(folder, 'kiln.tar');
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  await writeImage(archive);
  await run('sh', ['-c', command, 'load', archive]);
}

async function writeImage(archive) {
  await run('npm', ['run', '--silent', 'build']);
  await run(join(root, 'deploy', 'builder-image.sh'), [archive]);
}

function run(program, programArgs) {
  return new Promise((resolve) => {
    spawn(program, programArgs, { cwd: root, stdio: 'inherit' }).on('exit', (code) => {
      if (code === 0) resolve();
      else process.exit(code ?? 1);
    });
  });
}
