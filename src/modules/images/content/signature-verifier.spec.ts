import { constants, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { readSignature, SignatureVerifier } from './signature-verifier.js';

const DATA = randomBytes(100_000);
const HASHES = { 'SHA-224': 'sha224', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };
const CURVES = ['sect571k1', 'sect409k1', 'sect571r1', 'sect409r1', 'secp521r1', 'secp384r1'];

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const PAIRS: Readonly<Record<string, Pair>> = {
  'RSA-PSS': generateKeyPairSync('rsa', { modulusLength: 2048 }),
  DSA: generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }),
  ...Object.fromEntries(
    CURVES.map((name) => [`ECC_${name.toUpperCase()}`, generateKeyPairSync('ec', { namedCurve: name })]),
  ),
};

function signed(keyType: string, hashMethod: string, options: object = {}): Buffer {
  const key = PAIRS[keyType]!.privateKey;
  const padding = keyType === 'RSA-PSS' ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
  return sign(HASHES[hashMethod as keyof typeof HASHES], DATA, { key, ...padding, ...options });
}

function claim(keyType: string, hashMethod: string, signature: Buffer) {
  return readSignature('an-id', {
    img_signature: signature.toString('base64'),
    img_signature_hash_method: hashMethod,
    img_signature_key_type: keyType,
    img_signature_certificate_uuid: 'a-certificate',
  })!;
}

function verify(keyType: string, hashMethod: string, signature: Buffer, data = DATA): void {
  const verifier = new SignatureVerifier('an-id', claim(keyType, hashMethod, signature), PAIRS[keyType]!.publicKey);
  for (let at = 0; at < data.length; at += 30_000) verifier.write(data.subarray(at, at + 30_000));
  verifier.finish();
}

describe('a signature', () => {
  for (const keyType of Object.keys(PAIRS)) {
    for (const hashMethod of Object.keys(HASHES)) {
      it(`by ${keyType} and ${hashMethod} is right for what was signed and for nothing else`, () => {
        const signature = signed(keyType, hashMethod);
        const [other, changed] = [Buffer.from(DATA), Buffer.from(signature)];
        other[99_999]! ^= 1;
        changed[changed.length - 1]! ^= 1;

        expect(() => verify(keyType, hashMethod, signature)).not.toThrow();
        for (const [bytes, data] of [
          [signature, other],
          [changed, DATA],
          [randomBytes(64), DATA],
          [Buffer.of(0), DATA],
        ] as const) {
          expect(() => verify(keyType, hashMethod, bytes, data)).toThrow(
            expect.objectContaining({ code: 'images.signature_mismatch', kind: 'invalid' }),
          );
        }
      });
    }
  }

  it('may have a salt of any length', () => {
    for (const saltLength of [constants.RSA_PSS_SALTLEN_DIGEST, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
      expect(() => verify('RSA-PSS', 'SHA-256', signed('RSA-PSS', 'SHA-256', { saltLength }))).not.toThrow();
    }
  });

  it.each([
    ['RSA-PSS', 'DSA'],
    ['ECC_SECP384R1', 'ECC_SECP521R1'],
    ['DSA', 'RSA-PSS'],
  ])('that claims %s does not take a key of %s', (claimed, kept) => {
    expect(
      () => new SignatureVerifier('an-id', claim(claimed, 'SHA-256', Buffer.of(1)), PAIRS[kept]!.publicKey),
    ).toThrow(`the certificate's key is not ${claimed}`);
  });
});

describe('the properties of a signature', () => {
  const whole = {
    img_signature: 'c2lnbmVk',
    img_signature_hash_method: 'SHA-256',
    img_signature_key_type: 'RSA-PSS',
    img_signature_certificate_uuid: 'a-certificate',
  };

  it('count only together', () => {
    for (const name of Object.keys(whole)) {
      expect(readSignature('an-id', { ...whole, [name]: '' })).toBeNull();
    }
    expect(readSignature('an-id', {})).toBeNull();
    expect(readSignature('an-id', whole)).toMatchObject({ signature: Buffer.from('signed') });
  });

  it('may have line breaks in them, as programs write base64', () => {
    expect(readSignature('an-id', { ...whole, img_signature: 'c2ln\nbmVk\n' })).toMatchObject({
      signature: Buffer.from('signed'),
    });
  });

  it.each([
    ['img_signature', 'no base64!', /is not base64/],
    ['img_signature', 'c2ln=', /is not base64/],
    ['img_signature_hash_method', 'MD5', /must be one of SHA-224, SHA-256/],
    ['img_signature_hash_method', 'constructor', /must be one of/],
    ['img_signature_key_type', 'RSA', /must be one of RSA-PSS, DSA/],
  ])('%s %j is refused', (name, value, message) => {
    expect(() => readSignature('an-id', { ...whole, [name]: value })).toThrow(
      expect.objectContaining({ code: 'images.signature_unusable', message: expect.stringMatching(message) }),
    );
  });
});
