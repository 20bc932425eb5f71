import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK']).toString());

/** CPU milliseconds a process has used, user and system, with the children it has waited for. */
export function cpuMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, value) => sum + Number(value), 0);
    return (ticks * 1000) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/** A process and everything below it. */
export function processTree(root) {
  const children = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')[1];
      children.set(parent, [...(children.get(parent) ?? []), name]);
    } catch {
      continue;
    }
  }
  const found = [];
  const visit = (pid) => {
    found.push(pid);
    (children.get(pid) ?? []).forEach(visit);
  };
  visit(String(root));
  return found;
}

export function totalCpuMs(...roots) {
  return roots.flatMap(processTree).reduce((sum, pid) => sum + cpuMs(pid), 0);
}

/** Resident memory in MiB; `peak` since the process started. */
export function memoryMiB(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a Node program and waits until `url` answers. */
export async function startServer(script, env, url) {
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output = (output + chunk).slice(-20_000)));
  child.stderr.on('data', (chunk) => (output = (output + chunk).slice(-20_000)));
  for (let tries = 0; tries < 1200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`${script} ended: ${output}`);
    const answers = await fetch(url).then(
      (reply) => reply.ok,
      () => false,
    );
    if (answers) return child;
    await new Promise((later) => setTimeout(later, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`${script} does not answer: ${output}`);
}

export async function stopServer(child) {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

export function round(value, digits = 2) {
  return Number(value.toFixed(digits));
}
