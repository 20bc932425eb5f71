import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ANSWERS_WITHIN_MS = 120_000;

/** Where a shell is, and the key that its host must show; without one any will do. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly hostKey?: string;
}

/** A person with a key, who comes in with the real ssh. */
export class SshUser {
  private constructor(
    private readonly folder: string,
    /** As registered with Kiln. */
    readonly publicKey: string,
  ) {}

  static async create(): Promise<SshUser> {
    const folder = await mkdtemp(join(tmpdir(), 'kiln-ssh-'));
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
    return new SshUser(folder, await readFile(join(folder, 'key.pub'), 'utf8'));
  }

  /** What a command says. Rejects with `stderr` when it fails, or nobody lets it in. */
  async run(target: SshTarget, command: string, ...options: string[]): Promise<string> {
    const args = [
      ...(await this.options(target)),
      ...options,
      '-p',
      String(target.port),
      `root@${target.host}`,
      command,
    ];
    return (await run('ssh', args, { timeout: ANSWERS_WITHIN_MS })).stdout;
  }

  async put(target: SshTarget, local: string, remote: string): Promise<void> {
    const batch = join(this.folder, 'batch');
    await writeFile(batch, `put ${local} ${remote}\n`);
    const args = [...(await this.options(target)), '-b', batch, '-P', String(target.port), `root@${target.host}`];
    await run('sftp', args, { timeout: ANSWERS_WITHIN_MS });
  }

  async leave(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async options({ host, port, hostKey }: SshTarget): Promise<string[]> {
    const known = join(this.folder, 'known');
    await writeFile(known, hostKey === undefined ? '' : `[${host}]:${port} ${hostKey}\n`);
    const checking = hostKey === undefined ? 'no' : 'yes';
    const settings = [
      `UserKnownHostsFile=${known}`,
      `StrictHostKeyChecking=${checking}`,
      'BatchMode=yes',
      'LogLevel=ERROR',
    ];
    return ['-F', 'none', '-i', join(this.folder, 'key'), ...settings.flatMap((setting) => ['-o', setting])];
  }
}
