import { afterEach, expect, it } from '@jest/globals';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { aBuilder, anOrder, orderOf, start, workFolders } from '../../support/building.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../../support/recipes.js';

const COMPILED = pathToFileURL(join(import.meta.dirname, '..', '..', '..', 'dist', 'src')).href;

/** Processes of the host: the PID namespace of each, and its command line. */
async function processes(): Promise<{ pid: number; namespace: string; commandLine: string }[]> {
  const found = [];
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const namespace = await readlink(`/proc/${name}/ns/pid`).catch(() => '');
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    found.push({ pid: Number(name), namespace, commandLine: commandLine.replaceAll('\0', ' ') });
  }
  return found;
}

/** Waits until kiwi runs in the sandbox of the only build of a folder. */
function underWay(buildsDir: string): Promise<{ token: string; namespace: string }> {
  return eventually(async () => {
    const [folder] = await workFolders(buildsDir);
    const { token } = JSON.parse(await readFile(join(buildsDir, folder ?? 'none', 'owner.json'), 'utf8')) as {
      token: string;
    };
    const all = await processes();
    const own = await readlink('/proc/self/ns/pid');
    const namespace = all.find((each) => each.namespace !== own && each.commandLine.includes(token))?.namespace;
    const building = all.some((each) => each.namespace === namespace && each.commandLine.includes('debootstrap'));
    if (namespace === undefined || !building) throw new Error('kiwi does not run yet');
    return { token, namespace };
  }, 60_000);
}

async function remains({ token, namespace }: { token: string; namespace: string }) {
  return (await processes()).filter((each) => each.namespace === namespace || each.commandLine.includes(token));
}

const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

/** A build in a Node process of its own, on the compiled builder. */
async function buildElsewhere(dataDir: string, archive: Buffer) {
  const recipe = join(dataDir, 'recipe.tgz');
  await writeFile(recipe, archive);
  const order = orderOf(anOrder({ template: await offlineTemplate('elsewhere') }), archive);
  const program = `
    import { createReadStream } from 'node:fs';
    const { loadConfig } = await import('${COMPILED}/config/config.js');
    const { LocalBuilder } = await import('${COMPILED}/builders/local/local.builder.js');
    const { config } = loadConfig(${JSON.stringify({ KILN_DATA_DIR: dataDir, KILN_BUILD_REPOS: await offlineRepository() })});
    const report = { phase: async () => undefined, percent: () => undefined, log: () => undefined };
    await new LocalBuilder(config).build(${JSON.stringify(order)}, async () => createReadStream('${recipe}'), report, new AbortController().signal);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  children.push(child);
  return child;
}

describeWith(BUILD_PROGRAMS, 'What builds leave behind', () => {
  it('a cancelled build leaves no process, mount or folder, and is gone at once', async () => {
    const { builder, dataDir, buildsDir } = await aBuilder({ KILN_BUILD_REPOS: await offlineRepository() });
    const build = start(
      builder,
      anOrder({ template: await offlineTemplate('cancelled') }),
      await recipeArchive('debian-tiny'),
    );
    const traces = await underWay(buildsDir);
    const reason = new Error('cancelled by its user');

    const began = Date.now();
    build.cancel(reason);
    await expect(build.done).rejects.toBe(reason);

    expect(Date.now() - began).toBeLessThan(20_000);
    expect(await remains(traces)).toEqual([]);
    expect(await workFolders(buildsDir)).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(dataDir);
  }, 300_000);

  it('a build whose signal was aborted before it began makes nothing', async () => {
    const { builder, buildsDir } = await aBuilder();
    const reason = new Error('too late');

    const { done } = start(builder, anOrder(), Buffer.alloc(0), undefined, AbortSignal.abort(reason));

    await expect(done).rejects.toBe(reason);
    expect(await workFolders(buildsDir)).toEqual([]);
  });

  it('a worker that is killed takes its builds with it, and the sweep of another one removes their folders', async () => {
    const { builder, dataDir, buildsDir } = await aBuilder();
    const worker = await buildElsewhere(dataDir, await recipeArchive('debian-tiny'));
    const traces = await underWay(buildsDir);
    await builder.sweep();
    const whileItLived = await workFolders(buildsDir);

    worker.kill('SIGKILL');

    await eventually(async () => (await remains(traces)).length === 0);
    expect(whileItLived).toHaveLength(1);
    expect(await workFolders(buildsDir)).toEqual(whileItLived);
    await builder.sweep();
    expect(await workFolders(buildsDir)).toEqual([]);
  }, 300_000);

  it('a sweep leaves the builds of this process alone', async () => {
    const { builder, buildsDir } = await aBuilder({ KILN_BUILD_REPOS: await offlineRepository() });
    const build = start(
      builder,
      anOrder({ template: await offlineTemplate('kept') }),
      await recipeArchive('debian-tiny'),
    );
    const traces = await underWay(buildsDir);

    await builder.sweep();

    expect((await remains(traces)).length).toBeGreaterThan(0);
    expect(await workFolders(buildsDir)).toHaveLength(1);
    build.cancel(new Error('enough'));
    await expect(build.done).rejects.toThrow('enough');
  }, 300_000);

  it('a sweep takes a folder without a record only after a while: its owner may be about to write one', async () => {
    const { builder, buildsDir } = await aBuilder();
    await mkdir(join(buildsDir, 'young-1'), { recursive: true });
    await mkdir(join(buildsDir, 'old-1'));
    await utimes(join(buildsDir, 'old-1'), new Date(0), new Date(0));

    await builder.sweep();

    expect(await workFolders(buildsDir)).toEqual(['young-1']);
  });

  it('a sweep takes folders that are deeper than any path may be long', async () => {
    const { builder, buildsDir } = await aBuilder();
    const deep = join(buildsDir, 'deep-1');
    await mkdir(deep, { recursive: true });
    const dig = "import os\nfor _ in range(40): os.mkdir('x' * 250); os.chdir('x' * 250)";
    await promisify(execFile)('python3', ['-c', dig], { cwd: deep });
    await utimes(deep, new Date(0), new Date(0));

    await builder.sweep();

    expect(await workFolders(buildsDir)).toEqual([]);
  });
});
