import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { UnavailableError } from '../../common/errors.js';
import { Config } from '../../config/config.js';

const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A secret that was sealed with a key that this process does not have. */
export class SecretUnreadableError extends UnavailableError {
  override readonly code = 'secrets.unreadable';
  constructor() {
    super('A stored secret cannot be read: it was sealed with another KILN_SECRET_KEY');
  }
}

interface Key {
  readonly bytes: Buffer;
  /** Tells sealed secrets of other keys apart; says nothing about the key. */
  readonly id: Buffer;
}

/**
 * Seals secrets that must be had again, with AES-256-GCM. The key follows from `KILN_SECRET_KEY`, else it is a file in
 * the data folder that is made when first needed, so whoever reads only the database cannot use them.
 */
@Injectable()
export class SecretBox {
  private readonly path: string;
  private key: Promise<Key> | null = null;

  constructor(private readonly config: Config) {
    this.path = join(config.dataDir, 'secret.key');
  }

  /** @param context what the secret belongs to; the same is needed to open it, so that nobody can move it elsewhere */
  async seal(secret: string, context: string): Promise<Buffer> {
    const key = await this.load();
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.bytes, iv).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([key.id, iv, cipher.getAuthTag(), sealed]);
  }

  /** @throws SecretUnreadableError sealed with another key or for another context */
  async open(sealed: Buffer, context: string): Promise<string> {
    const key = await this.load();
    const [id, iv, tag] = cut(sealed, KEY_ID_BYTES, IV_BYTES, TAG_BYTES);
    if (!key.id.equals(id!)) throw new SecretUnreadableError();
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, iv!).setAAD(Buffer.from(context)).setAuthTag(tag!);
    try {
      const text = decipher.update(sealed.subarray(KEY_ID_BYTES + IV_BYTES + TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      throw new SecretUnreadableError();
    }
  }

  private load(): Promise<Key> {
    this.key ??= this.find().catch((error: unknown) => {
      this.key = null;
      throw error;
    });
    return this.key;
  }

  private async find(): Promise<Key> {
    const text = this.config.secretKey;
    const bytes = text === undefined ? await this.fromFile() : derive(text);
    return { bytes, id: createHash('sha256').update('kiln key id').update(bytes).digest().subarray(0, KEY_ID_BYTES) };
  }

  private async fromFile(): Promise<Buffer> {
    const found = (await this.read()) ?? (await this.make());
    const bytes = Buffer.from(found.trim(), 'base64');
    if (bytes.length !== KEY_BYTES) throw new Error(`${this.path} is not a key of Kiln`);
    return bytes;
  }

  private async read(): Promise<string | null> {
    try {
      return await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Whole on the disk before it has its name, and never in the place of another one: processes may share the folder. */
  private async make(): Promise<string> {
    await mkdir(dirname(this.path), { recursive: true });
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(temporary, this.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(temporary, { force: true });
    }
    const folder = await open(dirname(this.path));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return (await this.read())!;
  }
}

function derive(text: string): Buffer {
  return Buffer.from(hkdfSync('sha256', text, '', 'kiln secret box', KEY_BYTES));
}

/** The first pieces of these lengths. */
function cut(bytes: Buffer, ...lengths: number[]): Buffer[] {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}
