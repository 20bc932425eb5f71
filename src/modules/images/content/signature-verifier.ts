import { constants, createVerify, type KeyObject, type Verify } from 'node:crypto';
import type { ImageProperties } from '../images.types.js';
import { ImageSignatureMismatchError, ImageSignatureUnusableError } from './content.errors.js';

/** What an image says of its signature: all four of them, or it is not signed. */
export const SIGNATURE_PROPERTIES = [
  'img_signature',
  'img_signature_hash_method',
  'img_signature_key_type',
  'img_signature_certificate_uuid',
] as const;

const HASH_METHODS: Readonly<Record<string, string>> = {
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

interface KeyType {
  readonly types: readonly string[];
  readonly curve?: string;
}

const KEY_TYPES: Readonly<Record<string, KeyType>> = {
  'RSA-PSS': { types: ['rsa', 'rsa-pss'] },
  DSA: { types: ['dsa'] },
  ECC_SECT571K1: { types: ['ec'], curve: 'sect571k1' },
  ECC_SECT409K1: { types: ['ec'], curve: 'sect409k1' },
  ECC_SECT571R1: { types: ['ec'], curve: 'sect571r1' },
  ECC_SECT409R1: { types: ['ec'], curve: 'sect409r1' },
  ECC_SECP521R1: { types: ['ec'], curve: 'secp521r1' },
  ECC_SECP384R1: { types: ['ec'], curve: 'secp384r1' },
};

/** A signature that an image claims for its data. */
export interface SignatureClaim {
  readonly signature: Buffer;
  readonly hashMethod: string;
  readonly keyType: string;
  readonly certificateId: string;
}

/**
 * The signature of an image; null: it is not signed. As in the reference, an image with only some of the properties is not.
 * @throws ImageSignatureUnusableError unknown methods, or no base64
 */
export function readSignature(imageId: string, properties: ImageProperties): SignatureClaim | null {
  const [signature, hashMethod, keyType, certificateId] = SIGNATURE_PROPERTIES.map((name) => properties[name]);
  if (!signature || !hashMethod || !keyType || !certificateId) return null;
  checkKnown(imageId, 'img_signature_hash_method', hashMethod, HASH_METHODS);
  checkKnown(imageId, 'img_signature_key_type', keyType, KEY_TYPES);
  const text = signature.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new ImageSignatureUnusableError(imageId, 'img_signature is not base64');
  }
  return { signature: Buffer.from(text, 'base64'), hashMethod, keyType, certificateId };
}

function checkKnown(imageId: string, property: string, value: string, known: Readonly<Record<string, unknown>>): void {
  if (Object.hasOwn(known, value)) return;
  throw new ImageSignatureUnusableError(imageId, `${property} must be one of ${Object.keys(known).join(', ')}`);
}

/** Verifies data as it passes. */
export class SignatureVerifier {
  private readonly verify: Verify;

  /** @throws ImageSignatureUnusableError the certificate's key is not of the kind that the image says */
  constructor(
    private readonly imageId: string,
    private readonly claim: SignatureClaim,
    private readonly key: KeyObject,
  ) {
    const { types, curve } = KEY_TYPES[claim.keyType]!;
    const fits = types.includes(key.asymmetricKeyType ?? '') && key.asymmetricKeyDetails?.namedCurve === curve;
    if (!fits) throw new ImageSignatureUnusableError(imageId, `the certificate's key is not ${claim.keyType}`);
    this.verify = createVerify(HASH_METHODS[claim.hashMethod]!);
  }

  write(chunk: Buffer): void {
    this.verify.update(chunk);
  }

  /** @throws ImageSignatureMismatchError */
  finish(): void {
    const { signature, keyType } = this.claim;
    const padding = keyType === 'RSA-PSS' ? constants.RSA_PKCS1_PSS_PADDING : undefined;
    const saltLength = padding === undefined ? undefined : constants.RSA_PSS_SALTLEN_AUTO;
    const isRight = this.verify.verify({ key: this.key, padding, saltLength }, signature);
    if (!isRight) throw new ImageSignatureMismatchError(this.imageId);
  }
}
