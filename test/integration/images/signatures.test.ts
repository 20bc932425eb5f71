import { execFile } from 'node:child_process';
import { constants, createPrivateKey, randomUUID, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Image } from '../../../src/modules/images/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { plain } from '../../support/disks/disk-images.js';
import { describeWith } from '../../support/programs.js';

const run = promisify(execFile);

describeWith(['openssl'], 'a signed image', () => {
  const content = plain(300_000);
  const [valid, expired, broken] = [randomUUID(), randomUUID(), randomUUID()];
  let folder: string;
  let kiln: Catalogue;
  let alice: Actor;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-certificates-'));
    await makeCertificate(valid, '30');
    await makeCertificate(expired, '-1');
    await writeFile(join(folder, `${broken}.pem`), 'no certificate');
    await writeFile(join(folder, 'secret.pem'), await readFile(join(folder, `${valid}.pem`)));
    kiln = await catalogue({ KILN_IMAGE_CERTIFICATES_DIR: folder });
    alice = await kiln.actor();
  });
  afterAll(async () => {
    await kiln?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function makeCertificate(id: string, days: string): Promise<void> {
    const [key, request, pem] = ['key', 'csr', 'pem'].map((end) => join(folder, `${id}.${end}`)) as [
      string,
      string,
      string,
    ];
    await run('openssl', [
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      request,
      '-subj',
      '/CN=signer',
    ]);
    await run('openssl', ['x509', '-req', '-in', request, '-signkey', key, '-days', days, '-out', pem]);
  }

  async function signature(certificate: string, signedBy = valid): Promise<Record<string, string>> {
    const key = createPrivateKey(await readFile(join(folder, `${signedBy}.key`)));
    const bytes = sign('sha256', content, { key, padding: constants.RSA_PKCS1_PSS_PADDING });
    return {
      img_signature: bytes.toString('base64'),
      img_signature_hash_method: 'SHA-256',
      img_signature_key_type: 'RSA-PSS',
      img_signature_certificate_uuid: certificate,
    };
  }

  async function upload(
    properties: Record<string, string>,
    bytes = content,
  ): Promise<{ image: Image; failure: unknown }> {
    const { id } = await kiln.images.create(alice, { diskFormat: 'raw', containerFormat: 'bare', properties });
    const failure = await kiln.imageData.upload(alice, id, Readable.from([bytes], { objectMode: false })).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { image: await kiln.images.get(alice, id), failure };
  }

  it('becomes active with the data that was signed', async () => {
    const { image, failure } = await upload(await signature(valid));

    expect(failure).toBeUndefined();
    expect(image).toMatchObject({ status: 'active', virtualSizeBytes: content.length });
  });

  it('stays queued with any other data, and costs nothing', async () => {
    const before = await kiln.bytes(alice);
    const { image, failure } = await upload(await signature(valid), plain(299_999));

    expect(failure).toMatchObject({ kind: 'invalid', code: 'images.signature_mismatch' });
    expect(image).toMatchObject({ status: 'queued', sizeBytes: null });
    expect(await kiln.bytes(alice)).toEqual(before);
  });

  it.each<[string, () => Promise<Record<string, string>>, RegExp]>([
    ['expired', () => signature(expired, expired), /is valid only from/],
    ['not there', () => signature(randomUUID()), /there is no certificate/],
    ['none', () => signature(broken), /is none/],
    ['named by a path', () => signature('../secret'), /is no UUID/],
    ['named by another file', () => signature('secret'), /is no UUID/],
  ])('whose certificate is %s is refused before its data is stored', async (_how, properties, message) => {
    const { image, failure } = await upload(await properties());

    expect(failure).toMatchObject({ kind: 'invalid', message: expect.stringMatching(message) });
    expect(image).toMatchObject({ status: 'queued' });
  });
});
