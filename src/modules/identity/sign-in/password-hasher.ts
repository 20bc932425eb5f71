import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Limiter } from '../../../common/limiter.js';
import { SignInBusyError } from '../identity.errors.js';

/** Parameters of scrypt: memory is 128 · 2^logN · r bytes. */
interface Cost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about 0.2 s of one core: one of the minimum settings that OWASP's password storage sheet names as equal. */
const COST: Cost = { logN: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** scrypt runs on libuv's pool of four threads, which file reads and writes need as well. */
const MOST_AT_ONCE = 2;
/** Whoever comes when so many wait would wait for a quarter of a minute, and longer on a busy machine. */
const MOST_WAITING = 150;

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([\w-]+)\$([\w-]+)$/;

/** Memory-hard, salted hashes of passwords and secrets, in the form `$scrypt$ln=15,r=8,p=3$<salt>$<key>`. */
@Injectable()
export class PasswordHasher {
  private readonly limiter = new Limiter(MOST_AT_ONCE);
  private readonly cost = COST;
  private waiting = 0;
  /** Of a password that nobody has: unknown users cost the same work as known ones. */
  private readonly nobody = `$scrypt$${describe(this.cost)}$${text(randomBytes(SALT_BYTES))}$${text(randomBytes(KEY_BYTES))}`;

  /** @throws SignInBusyError too many others wait */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const key = await this.derive(password, salt, this.cost, KEY_BYTES);
    return `$scrypt$${describe(this.cost)}$${text(salt)}$${text(key)}`;
  }

  /**
   * Whether a password belongs to a hash. Takes as long for the hash `null`, that of a user who does not exist, so that
   * the time tells nothing about names.
   * @throws SignInBusyError too many others wait
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const parts = FORM.exec(hash ?? this.nobody);
    if (!parts) throw new Error('A stored password hash is not in a known form');
    const expected = Buffer.from(parts[5]!, 'base64url');
    const cost = { logN: Number(parts[1]), r: Number(parts[2]), p: Number(parts[3]) };
    const actual = await this.derive(password, Buffer.from(parts[4]!, 'base64url'), cost, expected.length);
    return timingSafeEqual(actual, expected) && hash !== null;
  }

  private async derive(password: string, salt: Buffer, cost: Cost, length: number): Promise<Buffer> {
    if (this.waiting >= MOST_WAITING) throw new SignInBusyError();
    this.waiting += 1;
    try {
      return await this.limiter.run(() => derive(password, salt, cost, length));
    } finally {
      this.waiting -= 1;
    }
  }
}

function derive(password: string, salt: Buffer, cost: Cost, length: number): Promise<Buffer> {
  const N = 2 ** cost.logN;
  const options = { N, r: cost.r, p: cost.p, maxmem: 128 * cost.r * (N + cost.p) + 1024 * 1024 };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function describe(cost: Cost): string {
  return `ln=${cost.logN},r=${cost.r},p=${cost.p}`;
}

function text(bytes: Buffer): string {
  return bytes.toString('base64url');
}
