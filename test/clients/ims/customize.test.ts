import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ImsUser } from '../../support/ims.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { fileIn, namesIn, rootFilesystem } from '../../support/disks/root-filesystem.js';
import { SshUser } from '../../support/ssh.js';
import { tar } from '../../support/tar.js';

const run = promisify(execFile);
// Of a busy machine: each of them starts sandboxes.
jest.setTimeout(180_000);
const SHELL_PROGRAMS = ['unsquashfs', 'mksquashfs', 'bwrap', 'sshd', 'ssh', 'ssh-keygen'];

/** A recipe that kiwi takes and cannot build. */
const HOPELESS = `<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="hopeless">
  <description type="system"><author>a</author><contact>c</contact><specification>s</specification></description>
  <preferences><version>1.0.0</version><packagemanager>apt</packagemanager><type image="tbz"/></preferences>
  <repository type="apt-deb" distribution="x" components="main" use_for_bootstrap="true"><source path="file:///nowhere"/></repository>
  <packages type="bootstrap"/>
</image>
`;

describe('users of IMS', () => {
  let kiln: RunningKiln;
  let ims: ImsUser;
  let person: SshUser;
  let key: { id: string };
  beforeAll(async () => {
    kiln = await startKiln();
    ims = new ImsUser(kiln, await kiln.token('alice'));
    person = await SshUser.create();
    key = await ims.key('alice', person.publicKey);
  });
  afterAll(async () => {
    await kiln?.stop();
    await person?.leave();
  });

  const target = (job: Awaited<ReturnType<ImsUser['find']>>) => {
    const { customer_access, 'cluster.local': inside } = job.ssh_containers![0]!.connection_info;
    expect(inside).toEqual(customer_access);
    return customer_access!;
  };

  describeWith(SHELL_PROGRAMS, 'customize an image', () => {
    let rootfs: Buffer;
    let image: { id: string };
    beforeAll(async () => {
      rootfs = await rootFilesystem();
      image = await ims.image('base', { rootfs, kernel: Buffer.from('k'), initrd: Buffer.from('i') });
    });

    const customize = (name: string, jail: boolean) =>
      ims.job({
        job_type: 'customize',
        artifact_id: image.id,
        public_key_id: key.id,
        image_root_archive_name: name,
        require_dkms: false,
        ssh_containers: [{ name: 'hands', jail }],
      });

    it('with a file that is put there by ssh', async () => {
      const { id, ssh_containers } = await customize('with-file', true);
      expect(ssh_containers).toMatchObject([{ name: 'hands', jail: true, status: 'pending' }]);

      const waiting = await ims.reached(id, ['waiting_on_user']);
      await person.run(target(waiting), 'echo "by hand" > /root/note; touch /tmp/complete');
      const done = await ims.reached(id, ['success']);

      expect(waiting.ssh_containers).toMatchObject([{ name: 'hands', jail: true, status: 'active' }]);
      expect(done).toMatchObject({ cause: null, ssh_containers: [{ status: 'complete' }] });
      const made = await ims.content(done.resultant_image_id!, 'rootfs');
      expect(await fileIn(made, 'root/note')).toBe('by hand\n');
      expect(await namesIn(made)).not.toContain('/tmp/complete');
      expect((await ims.content(done.resultant_image_id!, 'kernel')).toString()).toBe('the kernel\n');
      expect(await ims.ask('GET', `images/${done.resultant_image_id!}`)).toMatchObject({
        name: 'with-file',
        arch: 'x86_64',
      });
      const { artifacts } = JSON.parse(
        (await ims.get(`s3://boot-images/${done.resultant_image_id!}/manifest.json`)).toString(),
      );
      expect(artifacts[0].md5).toBe(createHash('md5').update(made).digest('hex'));
      expect((await ims.content(image.id, 'rootfs')).equals(rootfs)).toBe(true);
    });

    it('not, when they say that they failed', async () => {
      const { id } = await customize('given-up', false);
      const waiting = await ims.reached(id, ['waiting_on_user']);

      await person.run(target(waiting), 'touch /mnt/image/failed');

      expect(await ims.reached(id, ['error'])).toMatchObject({
        cause: { code: 'user.failed' },
        resultant_image_id: null,
      });
      expect(await ims.ask('GET', 'images?name=given-up')).toEqual([]);
    });

    it('not, when they cancel while their shell is open', async () => {
      const { id } = await customize('cancelled', true);
      const shell = target(await ims.reached(id, ['waiting_on_user']));

      await ims.ask('POST', `jobs/${id}/cancel`);

      expect(await ims.find(id)).toMatchObject({ status: 'error', cause: { code: 'user.cancelled' } });
      await expect(untilRefused(() => person.run(shell, 'true'))).resolves.toContain('refused');
      expect(await ims.ask('GET', 'images?name=cancelled')).toEqual([]);
    });
  });

  describeWith(['kiwi-ng', ...SHELL_PROGRAMS], 'look into a build that failed', () => {
    it('through its debug shell, which does not mend it', async () => {
      const recipe = await ims.recipe('hopeless', 'kiwi-ng', tar([{ name: 'config.xml', content: HOPELESS }]));
      const { id } = await ims.job({
        job_type: 'create',
        artifact_id: recipe.id,
        public_key_id: key.id,
        image_root_archive_name: 'hopeless',
        enable_debug: true,
      });
      const waiting = await ims.reached(id, ['waiting_on_user']);

      const seen = await person.run(target(waiting), 'ls /mnt/image/build; touch /mnt/image/complete');
      const ended = await ims.reached(id, ['error']);

      expect(waiting.ssh_containers).toMatchObject([{ name: 'debug', jail: false, status: 'active' }]);
      expect(seen).toBe('image-root\n');
      expect(ended.cause!.code).toMatch(/^(build|recipe|repository)\./);
      expect(ended.resultant_image_id).toBeNull();
    });
  });

  describeWith(['packer', 'bwrap', 'mksquashfs'], 'build recipes of Packer', () => {
    let folder: string;
    beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'kiln-packer-'))));
    afterAll(() => rm(folder, { recursive: true }));

    it('whose one file becomes the image', async () => {
      const hcl = `
        variable "name" { default = "{{ IMAGE_NAME }}" }
        source "file" "image" {
          content = "contents of \${var.name}"
          target  = "out/image.raw"
        }
        build {
          sources = ["source.file.image"]
          post-processor "manifest" { output = "out/packer-manifest.json" }
        }`;
      await writeFile(join(folder, 'recipe.pkr.hcl'), hcl);
      await writeFile(join(folder, '.ims_recipe_template.yaml'), 'template_files: [recipe.pkr.hcl]\n');
      const { stdout } = await run('tar', ['-C', folder, '-cz', '.'], { encoding: 'buffer' });
      const recipe = await ims.recipe('packed', 'packer', stdout, { IMAGE_NAME: 'first' });
      const { id } = await ims.job({
        job_type: 'create',
        artifact_id: recipe.id,
        public_key_id: key.id,
        image_root_archive_name: 'packed',
      });

      const done = await ims.reached(id, ['success']);

      const made = await ims.content(done.resultant_image_id!, 'application/vnd.kiln.image.disk.raw');
      expect(made.toString()).toBe('contents of first');
      expect(await ims.log(id)).toContain('Builds finished');
    });
  });

  it('leave no work folder behind', async () => {
    expect(await readdir(join(kiln.dataDir, 'builds')).catch(() => [])).toEqual([]);
  });
});

/** Sessions end a moment after the job. */
async function untilRefused(attempt: () => Promise<unknown>): Promise<string> {
  for (let tries = 0; tries < 50; tries += 1) {
    const said = await attempt().then(
      () => '',
      (error: { stderr: string }) => error.stderr,
    );
    if (said.includes('refused')) return said;
  }
  return 'it goes on';
}
