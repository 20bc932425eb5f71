import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Document, parseDocument, stringify } from 'yaml';

/** The name under which clients find Kiln in the file: `--os-cloud kiln`. */
export const CLOUD_NAME = 'kiln';

/** What the file says of the administrator of the first start. */
export interface CloudEntry {
  readonly authUrl: string;
  readonly region: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
}

/** The `clouds.yaml` of OpenStack's clients, with the credentials of the first start. */
export class CloudsFile {
  constructor(readonly path: string) {}

  /** The password that the file has for that user; null when there is no such file or entry. */
  async password(username: string): Promise<string | null> {
    const document = await this.read();
    if (document?.getIn(['clouds', CLOUD_NAME, 'auth', 'username']) !== username) return null;
    const password = document.getIn(['clouds', CLOUD_NAME, 'auth', 'password']);
    return typeof password === 'string' && password !== '' ? password : null;
  }

  /** Writes the whole file, readable by its owner only. */
  write(entry: CloudEntry): Promise<void> {
    return this.replace(
      `# Made by Kiln at its first start. Use it as it is:\n` +
        `#   OS_CLIENT_CONFIG_FILE=${this.path} openstack --os-cloud ${CLOUD_NAME} image list\n` +
        stringify({
          clouds: {
            [CLOUD_NAME]: {
              auth: {
                auth_url: entry.authUrl,
                username: entry.username,
                password: entry.password,
                project_name: entry.project,
                user_domain_name: 'Default',
                project_domain_name: 'Default',
              },
              region_name: entry.region,
              identity_api_version: 3,
              interface: 'public',
            },
          },
        }),
    );
  }

  /** Follows Kiln to another address or region; whatever else somebody wrote into the file stays. */
  async refresh(authUrl: string, region: string): Promise<void> {
    const document = await this.read();
    if (!document) return;
    const wanted: [string[], string][] = [
      [['clouds', CLOUD_NAME, 'auth', 'auth_url'], authUrl],
      [['clouds', CLOUD_NAME, 'region_name'], region],
    ];
    const stale = wanted.filter(([path, value]) => document.getIn(path) !== value);
    if (stale.length === 0) return;
    for (const [path, value] of stale) document.setIn(path, value);
    await this.replace(document.toString());
  }

  /** Null when it is missing or no longer YAML. */
  private async read(): Promise<Document | null> {
    try {
      const document = parseDocument(await readFile(this.path, 'utf8'));
      return document.errors.length === 0 ? document : null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Whoever reads sees the old content or the new one, also after a power failure. */
  private async replace(content: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    const folder = await open(dirname(this.path));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
