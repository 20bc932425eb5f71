import { describe, expect, it } from '@jest/globals';
import { PasswordHasher } from './password-hasher.js';

describe('PasswordHasher', () => {
  const hasher = new PasswordHasher();

  it('verifies the password that was hashed, and no other', async () => {
    const hash = await hasher.hash('s3cret');

    await expect(hasher.verify('s3cret', hash)).resolves.toBe(true);
    await expect(hasher.verify('s3cret ', hash)).resolves.toBe(false);
  });

  it('writes its parameters into the hash and salts each hash anew', async () => {
    const [first, second] = await Promise.all([hasher.hash('same'), hasher.hash('same')]);

    expect(first).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[\w-]{22}\$[\w-]{43}$/);
    expect(second).not.toBe(first);
  });

  it('verifies hashes that were made with other parameters', async () => {
    // RFC 7914, section 12, third vector: N = 1024, r = 8, p = 16, password "password", salt "NaCl".
    const key =
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640';
    const hash = `$scrypt$ln=10,r=8,p=16$${Buffer.from('NaCl').toString('base64url')}$${Buffer.from(key, 'hex').toString('base64url')}`;

    await expect(hasher.verify('password', hash)).resolves.toBe(true);
  });

  it('does the same work for a user who does not exist', async () => {
    const hash = await hasher.hash('s3cret');
    const cpuOf = async (stored: string | null): Promise<number> => {
      const before = process.cpuUsage();
      await expect(hasher.verify('wrong', stored)).resolves.toBe(false);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };

    const medianOf = async (stored: string | null): Promise<number> => {
      const three = [await cpuOf(stored), await cpuOf(stored), await cpuOf(stored)];
      return three.sort((one, other) => one - other)[1]!;
    };

    const known = await medianOf(hash);
    const unknown = await medianOf(null);

    expect(unknown).toBeGreaterThan(known / 3);
    expect(unknown).toBeLessThan(known * 3);
  });

  it('takes one password written with different code points for the same', async () => {
    const hash = await hasher.hash('caf\u00e9');

    await expect(hasher.verify('cafe\u0301', hash)).resolves.toBe(true);
  });

  it('refuses at once when too many wait, and takes the next when they are done', async () => {
    const busy = new PasswordHasher();
    // Cheap parameters: the test is about waiting.
    const cheap = `$scrypt$ln=1,r=1,p=1$AAAA$${Buffer.alloc(32).toString('base64url')}`;

    const results = await Promise.allSettled(Array.from({ length: 250 }, () => busy.verify('x', cheap)));

    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(100);
    expect(refused[0]!.reason).toMatchObject({ kind: 'unavailable', code: 'identity.sign_in_busy' });
    await expect(busy.verify('x', cheap)).resolves.toBe(false);
  });
});
