import { createHash } from 'node:crypto';
import { eventually } from './eventually.js';
import type { RunningKiln } from './kiln.js';
import type { SshTarget } from './ssh.js';

/** A job as this API shows it, as far as tests look at it. */
export interface ImsJob {
  readonly id: string;
  readonly status: string;
  readonly cause: { readonly code: string; readonly message: string } | null;
  readonly resultant_image_id: string | null;
  readonly ssh_containers:
    | null
    | readonly {
        readonly name: string;
        readonly jail: boolean;
        readonly status: string;
        readonly connection_info: Readonly<Record<string, SshTarget>>;
      }[];
}

const ROLES: Readonly<Record<string, string>> = {
  rootfs: 'application/vnd.cray.image.rootfs.squashfs',
  kernel: 'application/vnd.cray.image.kernel',
  initrd: 'application/vnd.cray.image.initrd',
};

/** What a member does with images, recipes and jobs through IMS. */
export class ImsUser {
  constructor(
    private readonly kiln: Pick<RunningKiln, 'url'>,
    private readonly token: string,
  ) {}

  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const reply = await fetch(`${this.kiln.url}/apis/ims/v3/${path}`, {
      method,
      headers: { 'x-auth-token': this.token, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body && JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return (reply.status === 204 ? null : await reply.json()) as T;
  }

  async put(address: string, content: Buffer): Promise<void> {
    const reply = await this.artifact(address, { method: 'PUT', body: new Uint8Array(content) });
    if (!reply.ok) throw new Error(`PUT ${address}: ${reply.status} ${await reply.text()}`);
  }

  async get(address: string): Promise<Buffer> {
    const reply = await this.artifact(address);
    if (!reply.ok) throw new Error(`GET ${address}: ${reply.status}`);
    return Buffer.from(await reply.arrayBuffer());
  }

  /** An image of these artifacts, registered by its manifest. */
  async image(name: string, content: Readonly<Record<string, Buffer>>): Promise<{ readonly id: string }> {
    const artifacts = [];
    for (const [role, bytes] of Object.entries(content)) {
      const path = `s3://boot-images/${name}/${role}`;
      await this.put(path, bytes);
      const md5 = createHash('md5').update(bytes).digest('hex');
      artifacts.push({ type: ROLES[role], md5, link: { type: 's3', path, etag: md5 } });
    }
    const path = `s3://boot-images/${name}/manifest.json`;
    await this.put(path, Buffer.from(JSON.stringify({ version: '1.0', artifacts })));
    return this.ask('POST', 'images', { name, link: { type: 's3', path } });
  }

  async recipe(
    name: string,
    type: 'kiwi-ng' | 'packer',
    archive: Buffer,
    values: Readonly<Record<string, string>> = {},
  ) {
    await this.put(`s3://ims/${name}.tgz`, archive);
    return this.ask<{ id: string }>('POST', 'recipes', {
      name,
      recipe_type: type,
      linux_distribution: 'debian12',
      require_dkms: false,
      template_dictionary: Object.entries(values).map(([key, value]) => ({ key, value })),
      link: { path: `s3://ims/${name}.tgz`, type: 's3' },
    });
  }

  key(name: string, publicKey: string): Promise<{ readonly id: string }> {
    return this.ask('POST', 'public-keys', { name, public_key: publicKey });
  }

  job(body: object): Promise<ImsJob> {
    return this.ask('POST', 'jobs', body);
  }

  find(id: string): Promise<ImsJob> {
    return this.ask('GET', `jobs/${id}`);
  }

  async log(id: string): Promise<string> {
    const reply = await fetch(`${this.kiln.url}/apis/ims/v3/jobs/${id}/log`, {
      headers: { 'x-auth-token': this.token },
    });
    return reply.text();
  }

  /** Waits for one of these statuses; any end that is none of them is an error with the job's log. */
  async reached(id: string, statuses: readonly string[], withinMs = 60_000): Promise<ImsJob> {
    const known = [...statuses, 'success', 'error'];
    let job = await this.find(id);
    await eventually(async () => known.includes((job = await this.find(id)).status), withinMs);
    if (statuses.includes(job.status)) return job;
    throw new Error(`the job ended: ${JSON.stringify(job.cause)}\n${await this.log(id)}`);
  }

  /** The artifact of one role of an image, by its manifest. */
  async content(imageId: string, role: string): Promise<Buffer> {
    const { link } = await this.ask<{ link: { path: string } }>('GET', `images/${imageId}`);
    const manifest = JSON.parse((await this.get(link.path)).toString()) as {
      artifacts: readonly { type: string; link: { path: string } }[];
    };
    const entry = manifest.artifacts.find(({ type }) => type === (ROLES[role] ?? role));
    if (!entry) throw new Error(`the manifest names no ${role}: ${JSON.stringify(manifest)}`);
    return this.get(entry.link.path);
  }

  private artifact(address: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.kiln.url}/artifacts/${address.replace('s3://', '')}`, {
      ...init,
      headers: { 'x-auth-token': this.token },
    });
  }
}
