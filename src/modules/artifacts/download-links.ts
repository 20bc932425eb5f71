import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { isUuid } from '../../common/ids.js';
import { ObjectStores } from '../../platform/object-store/object-stores.js';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import { type Address, formatAddress } from './address.js';
import { ArtifactLinkError } from './artifacts.errors.js';
import type { ArtifactWithFile } from './artifact.entity.js';
import { ArtifactsService } from './artifacts.service.js';
import { checkExpectation, type Expectation } from './expectation.js';

/** Where one artifact can be read for a while by whoever has the link. */
export type DownloadLink =
  /** At the store itself. */
  | { readonly kind: 'store'; readonly url: string }
  /** At Kiln, with what it signed. */
  | { readonly kind: 'kiln'; readonly address: Address; readonly expires: number; readonly signature: string };

/** Links with which one artifact can be read without any other credential, until they expire. */
@Injectable()
export class DownloadLinks {
  constructor(
    private readonly artifacts: ArtifactsService,
    private readonly stores: ObjectStores,
    private readonly secrets: SecretBox,
    private readonly clock: Clock,
  ) {}

  /**
   * @throws ArtifactNotFoundError, StoredFileNotFoundError, UnavailableError the bytes cannot be had now
   */
  async to(artifactId: string, lifeSeconds: number): Promise<DownloadLink> {
    const { artifact, file } = await this.artifacts.getWithFile(artifactId);
    const { bucket, key } = artifact;
    const { storeId, objectKey } = file;
    const store = this.stores.get(storeId);
    await store.head(objectKey);
    const url = await store.presignGet(objectKey, lifeSeconds);
    if (url !== null) return { kind: 'store', url };
    const address = { bucket, key };
    const expires = Math.floor(this.clock.now().getTime() / 1_000) + lifeSeconds;
    const sealed = await this.secrets.seal(artifactId, contextOf(address, expires));
    return { kind: 'kiln', address, expires, signature: sealed.toString('base64url') };
  }

  /**
   * What a link of Kiln's own leads to.
   * @throws ArtifactLinkError not signed by this Kiln for that address and time, or expired
   * @throws ArtifactNotFoundError it is gone since
   * @throws ArtifactChangedError
   */
  async open(address: Address, expires: string, signature: string, expected?: Expectation): Promise<ArtifactWithFile> {
    const artifactId = await this.secrets
      .open(Buffer.from(signature, 'base64url'), contextOf(address, Number(expires)))
      .catch(() => null);
    if (artifactId === null || !isUuid(artifactId)) throw new ArtifactLinkError('it was not signed here');
    if (Number(expires) * 1_000 < this.clock.now().getTime()) throw new ArtifactLinkError('it has expired');
    const found = await this.artifacts.getWithFile(artifactId);
    checkExpectation(address, found.artifact, expected);
    return found;
  }
}

function contextOf(address: Address, expires: number): string {
  return `download ${formatAddress(address)} until ${expires}`;
}
