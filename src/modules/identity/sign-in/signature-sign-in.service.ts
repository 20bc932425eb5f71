import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Actor } from '../../tenancy/index.js';
import { AccessKeysService } from '../access-keys/access-keys.service.js';
import { SignInFailures } from './sign-in-failures.js';

const PROVEN_MAXIMUM = 10_000;

/** Lets in whoever signs requests with an access key. How a signature is made is for the face to know. */
@Injectable()
export class SignatureSignInService {
  /** Keys that were good from an address the last time: others' wrong ones do not keep these out. */
  private readonly proven = new LRUCache<string, true>({ max: PROVEN_MAXIMUM });

  constructor(
    private readonly keys: AccessKeysService,
    private readonly failures: SignInFailures,
  ) {}

  /**
   * The key's user in the key's project; null: there is no such key, or it did not make the signature.
   *
   * @param address where the request comes from
   * @param isSignedWith whether the request is signed with a secret
   * @throws SignInBlockedError too many wrong ones came from the address
   */
  async findSigner(access: string, address: string, isSignedWith: (secret: string) => boolean): Promise<Actor | null> {
    const place = `${address} ${access}`;
    if (!this.proven.has(place)) await this.failures.check(address);
    const key = await this.keys.findAccessKey(access);
    if (key && isSignedWith(key.secret)) {
      this.proven.set(place, true);
      return key.actor;
    }
    this.proven.delete(place);
    await this.failures.count(address);
    return null;
  }
}
