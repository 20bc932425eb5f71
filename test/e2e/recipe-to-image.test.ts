import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type ImsJob, ImsUser } from '../support/ims.js';
import { ALPHA, type RunningKiln, startKiln } from '../support/kiln.js';
import { describeWith } from '../support/programs.js';
import { BUILD_PROGRAMS, offlineRepository, offlineTemplate, recipeArchive } from '../support/recipes.js';

const run = promisify(execFile);
const MINUTES = 60_000;
const PROGRAMS = [...BUILD_PROGRAMS, 'qemu-system-x86_64', 'openstack', 'ssh-keygen', 'unsquashfs'];

interface Link {
  readonly path: string;
}

interface Manifest {
  readonly version: string;
  readonly artifacts: readonly { type: string; md5: string; link: Link }[];
}

/** Phases that a build of a recipe passes through, in their order. */
const PHASES = ['fetching_recipe', 'waiting_for_repositories', 'building', 'packaging'];

describeWith(PROGRAMS, 'from a recipe to a bootable image', () => {
  const name = 'first-light';
  let kiln: RunningKiln;
  let ims: ImsUser;
  let database: pg.Client;
  let work: string;
  let recipe: { id: string };
  let archive: Buffer;
  let job: ImsJob;
  let imageId: string;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'kiln-e2e-'));
    kiln = await startKiln({ env: { KILN_BUILD_REPOS: await offlineRepository() } });
    ims = new ImsUser(kiln, await kiln.token('alice'));
    database = new pg.Client({ connectionString: kiln.databaseUrl });
    await database.connect();
  }, 3 * MINUTES);

  afterAll(async () => {
    await database?.end();
    await kiln?.stop();
    await rm(work, { recursive: true, force: true });
  }, MINUTES);

  const openstack = async (...args: string[]) =>
    (await run('openstack', args, { env: kiln.openstackEnv('alice'), maxBuffer: 2 ** 26 })).stdout;

  it('registers a key made by ssh-keygen and a recipe placed by its address', async () => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(work, 'key')]);
    archive = await recipeArchive('debian-minimal');

    const link = { type: 's3', path: 's3://ims/recipes/first/recipe.tar.gz' };
    await ims.put(link.path, archive);
    const key = await ims.key(name, await readFile(join(work, 'key.pub'), 'utf8'));
    recipe = await ims.ask('POST', 'recipes', {
      name,
      recipe_type: 'kiwi-ng',
      linux_distribution: 'debian12',
      require_dkms: false,
      link,
      template_dictionary: await offlineTemplate(name),
    });
    job = await ims.job({
      job_type: 'create',
      artifact_id: recipe.id,
      public_key_id: key.id,
      image_root_archive_name: name,
    });

    expect(job.status).toBe('creating');
  });

  it(
    'builds it, passing through the documented states, with a log of what was done',
    async () => {
      job = await ims.reached(job.id, ['success'], 10 * MINUTES);

      imageId = job.resultant_image_id!;
      expect(job.cause).toBeNull();
      // As they are written down: whoever asks now and then may miss one that is short.
      const { rows } = await database.query<{ phase: string }>(
        `SELECT data->>'phase' AS phase FROM events WHERE noun_id = $1 AND kind = 'job.phase_changed' ORDER BY id`,
        [job.id],
      );
      expect(rows.map(({ phase }) => phase)).toEqual(PHASES);
      expect(await ims.log(job.id)).toContain('Installing bootstrap packages');
    },
    11 * MINUTES,
  );

  it('records one image in both catalogues, with where it came from', async () => {
    const record = await ims.ask<{ name: string; arch: string; link: Link }>('GET', `images/${imageId}`);
    const shown = JSON.parse(await openstack('image', 'show', '-f', 'json', imageId)) as {
      status: string;
      owner: string;
      visibility: string;
      properties: Record<string, string>;
    };

    expect(record).toMatchObject({
      name,
      arch: 'x86_64',
      link: { path: `s3://boot-images/${imageId}/manifest.json` },
    });
    expect(shown).toMatchObject({ status: 'active', owner: ALPHA, visibility: 'private' });
    expect(shown.properties).toMatchObject({
      architecture: 'x86_64',
      kiln_job_id: job.id,
      kiln_recipe_id: recipe.id,
      kiln_recipe_sha256: createHash('sha256').update(archive).digest('hex'),
    });
  });

  it(
    'gives the OpenStack client a root file system that is what the manifest says, and QEMU boots it',
    async () => {
      const rootfs = join(work, 'rootfs.squashfs');
      await openstack('image', 'save', '--file', rootfs, imageId);
      const manifest = JSON.parse((await ims.get(`s3://boot-images/${imageId}/manifest.json`)).toString()) as Manifest;
      const take = async (type: string): Promise<string> => {
        const entry = manifest.artifacts.find((one) => one.type === `application/vnd.cray.image.${type}`)!;
        const bytes = await ims.get(entry.link.path);
        expect(createHash('md5').update(bytes).digest('hex')).toBe(entry.md5);
        await writeFile(join(work, type), bytes);
        return join(work, type);
      };

      const kernel = await take('kernel');
      const initrd = await take('initrd');
      const entry = manifest.artifacts.find((one) => one.type === 'application/vnd.cray.image.rootfs.squashfs')!;

      expect(manifest.version).toBe('1.0');
      expect(
        createHash('md5')
          .update(await readFile(rootfs))
          .digest('hex'),
      ).toBe(entry.md5);
      expect((await run('unsquashfs', ['-stat', rootfs])).stdout).toContain('valid SQUASHFS');
      await expect(bootConsole(kernel, initrd, rootfs, `BOOT-MARKER ${name} up`)).resolves.toContain(
        `BOOT-MARKER ${name} up`,
      );
    },
    8 * MINUTES,
  );

  it('leaves no work folder and no process of the build behind', async () => {
    const { stdout } = await run('find', [join(kiln.dataDir, 'builds'), '-mindepth', '1', '-maxdepth', '1']).catch(
      () => ({
        stdout: '',
      }),
    );

    expect(stdout).toBe('');
  });
});

/** Boots under software emulation and returns the serial console up to the marker. */
function bootConsole(kernel: string, initrd: string, rootfs: string, marker: string): Promise<string> {
  const machine = spawn(
    'qemu-system-x86_64',
    [
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
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  return new Promise((resolve, reject) => {
    let console = '';
    const timer = setTimeout(() => machine.kill('SIGKILL'), 6 * MINUTES);
    machine.stdout.on('data', (chunk: Buffer) => {
      console += chunk.toString();
      if (!console.includes(marker)) return;
      resolve(console);
      machine.kill('SIGKILL');
    });
    machine.on('error', reject);
    machine.on('exit', () => {
      clearTimeout(timer);
      reject(new Error(`the machine ended without its marker:\n${console.slice(-3000)}`));
    });
  });
}
