import type { Key } from '../../../modules/keys/index.js';

/** @see Image Management Service v3, PublicKeyRecord */
export function presentPublicKey(key: Key) {
  return { id: key.id, created: key.createdAt.toISOString(), name: key.name, public_key: key.publicKey };
}
