import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../config/config.js';
import { SecretBox } from './secret-box.js';

const unreadable = { kind: 'unavailable', code: 'secrets.unreadable' };

describe('SecretBox', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-secrets-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** The box of one process. */
  function box(secretKey?: string): SecretBox {
    const key: Record<string, string> = secretKey === undefined ? {} : { KILN_SECRET_KEY: secretKey };
    return new SecretBox(loadConfig({ KILN_DATA_DIR: folder, ...key }).config);
  }

  const KEY = 'a key that is long enough to be one';

  it.each(['s3cret', '', 'gëheim 🔑', 'x'.repeat(10_000)])('opens what it sealed: %.20j', async (secret) => {
    const sealed = await box(KEY).seal(secret, 'alice');

    expect(sealed.includes(secret) && secret !== '').toBe(false);
    await expect(box(KEY).open(sealed, 'alice')).resolves.toBe(secret);
  });

  it('seals one secret differently each time', async () => {
    const one = box(KEY);

    expect(await one.seal('s3cret', 'alice')).not.toEqual(await one.seal('s3cret', 'alice'));
  });

  it('opens nothing that was sealed with another key', async () => {
    const sealed = await box(KEY).seal('s3cret', 'alice');

    await expect(box(`${KEY}!`).open(sealed, 'alice')).rejects.toMatchObject(unreadable);
    await expect(box().open(sealed, 'alice')).rejects.toMatchObject(unreadable);
  });

  it('opens nothing for somebody else', async () => {
    const sealed = await box(KEY).seal('s3cret', 'alice');

    await expect(box(KEY).open(sealed, 'bob')).rejects.toMatchObject(unreadable);
  });

  it('opens nothing of which a single bit was changed', async () => {
    const one = box(KEY);
    const sealed = await one.seal('s3cret', 'alice');

    for (const at of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      await expect(one.open(changed, 'alice')).rejects.toMatchObject(unreadable);
    }
  });

  it('opens nothing that was cut off, wherever', async () => {
    const one = box(KEY);
    const sealed = await one.seal('s3cret', 'alice');

    for (const length of sealed.keys()) {
      await expect(one.open(sealed.subarray(0, length), 'alice')).rejects.toMatchObject(unreadable);
    }
  });

  describe('without a key in the settings', () => {
    const path = () => join(folder, 'secret.key');

    it('makes a file of it that only its owner can read, and uses that from then on', async () => {
      const sealed = await box().seal('s3cret', 'alice');

      expect((await stat(path())).mode & 0o777).toBe(0o600);
      await expect(box().open(sealed, 'alice')).resolves.toBe('s3cret');
    });

    it('makes one key when many need the first one at the same time', async () => {
      const boxes = Array.from({ length: 8 }, () => box());
      const sealed = await Promise.all(boxes.map((one, at) => one.seal(`secret ${at}`, 'alice')));

      const opened = await Promise.all(sealed.map((bytes) => box().open(bytes, 'alice')));
      expect(opened).toEqual(boxes.map((_one, at) => `secret ${at}`));
      expect(await readdir(folder)).toEqual(['secret.key']);
    });

    it('takes no file for a key that is none, and leaves it as it is', async () => {
      await writeFile(path(), 'c2hvcnQ=\n');
      const one = box();

      await expect(one.seal('s3cret', 'alice')).rejects.toThrow('is not a key of Kiln');
      expect(await readFile(path(), 'utf8')).toBe('c2hvcnQ=\n');
    });

    it('reads the file again when it was put right', async () => {
      const sealed = await box().seal('s3cret', 'alice');
      const good = await readFile(path(), 'utf8');
      await writeFile(path(), 'c2hvcnQ=\n');
      const one = box();
      await expect(one.open(sealed, 'alice')).rejects.toThrow('is not a key of Kiln');

      await writeFile(path(), good);

      await expect(one.open(sealed, 'alice')).resolves.toBe('s3cret');
    });
  });
});
