import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.js';
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

describeWith(PROGRAMS, 'from a recipe to a bootable image', () => {
  const name = 'first-light';
  let kiln: RunningKiln;
  let token: string;
  let work: string;
  let recipe: { id: string };
  let archive: Buffer;
  let job: { id: string; status: string; resultant_image_id: string; cause: unknown };

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'kiln-e2e-'));
    kiln = await startKiln({ env: { KILN_BUILD_REPOS: await offlineRepository() } });
    token = await kiln.token('alice');
  }, 3 * MINUTES);

  afterAll(async () => {
    await kiln?.stop();
    await rm(work, { recursive: true, force: true });
  }, MINUTES);

  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${kiln.url}${path}`, { ...init, headers: { 'x-auth-token': token, ...init.headers } });

  const post = async (path: string, body: object) => {
    const reply = await call(`/apis/ims/v3/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = await reply.json();
    if (reply.status !== 201) throw new Error(`${path}: ${reply.status} ${JSON.stringify(answer)}`);
    return answer as never;
  };

  const openstack = async (...args: string[]) =>
    (await run('openstack', args, { env: kiln.openstackEnv('alice'), maxBuffer: 2 ** 26 })).stdout;

  const artifact = async (path: string): Promise<Buffer> => {
    const reply = await call(`/artifacts/${path.replace('s3://', '')}`);
    expect(reply.status).toBe(200);
    return Buffer.from(await reply.arrayBuffer());
  };

  it('registers a key made by ssh-keygen and a recipe placed by its address', async () => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(work, 'key')]);
    archive = await recipeArchive('debian-minimal');

    const placed = await call('/artifacts/ims/recipes/first/recipe.tar.gz', {
      method: 'PUT',
      body: new Uint8Array(archive),
    });
    const key = (await post('public-keys', { name, public_key: await readFile(join(work, 'key.pub'), 'utf8') })) as {
      id: string;
    };
    recipe = await post('recipes', {
      name,
      recipe_type: 'kiwi-ng',
      linux_distribution: 'debian12',
      require_dkms: false,
      link: { type: 's3', path: 's3://ims/recipes/first/recipe.tar.gz' },
      template_dictionary: await offlineTemplate(name),
    });
    job = await post('jobs', {
      job_type: 'create',
      artifact_id: recipe.id,
      public_key_id: key.id,
      image_root_archive_name: name,
    });

    expect(placed.status).toBe(201);
    expect(job.status).toBe('creating');
  });

  it(
    'builds it, passing through the documented states, with a log that can be read meanwhile',
    async () => {
      const seen = new Set<string>();
      let logWhileBuilding = '';

      await eventually(async () => {
        job = (await (await call(`/apis/ims/v3/jobs/${job.id}`)).json()) as typeof job;
        seen.add(job.status);
        if (job.status === 'building_image')
          logWhileBuilding = await (await call(`/apis/ims/v3/jobs/${job.id}/log`)).text();
        return job.status === 'success' || job.status === 'error';
      }, 10 * MINUTES);

      expect(job.cause).toBeNull();
      expect(job.status).toBe('success');
      expect([...seen]).toEqual(expect.arrayContaining(['building_image', 'packaging_artifacts', 'success']));
      expect(logWhileBuilding).toContain('Installing bootstrap packages');
    },
    11 * MINUTES,
  );

  it('records one image in both catalogues, with where it came from', async () => {
    const record = (await (await call(`/apis/ims/v3/images/${job.resultant_image_id}`)).json()) as {
      name: string;
      arch: string;
      link: Link;
    };
    const shown = JSON.parse(await openstack('image', 'show', '-f', 'json', job.resultant_image_id)) as {
      status: string;
      owner: string;
      visibility: string;
      properties: Record<string, string>;
    };

    expect(record).toMatchObject({
      name,
      arch: 'x86_64',
      link: { path: `s3://boot-images/${job.resultant_image_id}/manifest.json` },
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
      await openstack('image', 'save', '--file', rootfs, job.resultant_image_id);
      const manifest = JSON.parse(
        (await artifact(`s3://boot-images/${job.resultant_image_id}/manifest.json`)).toString(),
      ) as Manifest;
      const take = async (type: string): Promise<string> => {
        const entry = manifest.artifacts.find((one) => one.type === `application/vnd.cray.image.${type}`)!;
        const bytes = await artifact(entry.link.path);
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
