import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import type { ByteProbe } from '../../artifacts/index.js';
import type { Image } from '../image.entity.js';
import { CertificateProblem, Certificates } from './certificates.js';
import { ImageSignatureUnusableError } from './content.errors.js';
import { FormatJudge } from './format-judge.js';
import { readSignature, SIGNATURE_PROPERTIES, SignatureVerifier } from './signature-verifier.js';

/** What an image says of its data. */
export type ContentClaim = Pick<Image, 'id' | 'diskFormat' | 'containerFormat' | 'properties'>;

/** What was found out about data that is as its image says. */
export interface ContentVerdict {
  /** Size of the disk inside; null: the format does not tell it, or is not looked into. */
  readonly virtualSizeBytes: number | null;
}

/**
 * Judges the data of one image while it passes. Give it to `StoreFile.probe`, and ask for the verdict before the image
 * becomes `active`.
 */
export interface ContentProbe extends ByteProbe {
  /**
   * Refuses as soon as the bytes show why.
   * @throws ImageFormatMismatchError another format than the image says
   * @throws ImageContentUnsafeError data that nobody should open
   */
  write(chunk: Buffer): void;
  /**
   * To be called once, after the last byte.
   * @throws what `write` throws
   * @throws ImageSignatureMismatchError
   */
  finish(): ContentVerdict;
}

/** Looks into data before it becomes the data of an image. */
@Injectable()
export class ImageContentService {
  constructor(
    private readonly certificates: Certificates,
    private readonly config: Config,
  ) {}

  /**
   * A probe for data that is about to become this image's.
   * @throws ImageSignatureUnusableError the image is signed, and there is nothing to verify it with
   */
  async probe(claim: ContentClaim): Promise<ContentProbe> {
    const verifier = await this.verifierFor(claim);
    return new Probe(new FormatJudge(claim, this.config.images), verifier);
  }

  /**
   * A probe for data that some program is about to open as what the image says it is: of its format it must be, whatever is
   * asked of uploads. The signature is left for the data that is kept.
   */
  strictProbe(claim: ContentClaim): ContentProbe {
    return new Probe(new FormatJudge(claim, { ...this.config.images, checksFormat: true }), null);
  }

  /** Whether the data of an image is signed, so that no other data may take its place. @throws ImageSignatureUnusableError */
  isSigned({ id, properties }: ContentClaim): boolean {
    return readSignature(id, properties) !== null;
  }

  /** Whether a probe that was made for one would judge as one made for the other. */
  judgesAlike(one: ContentClaim, other: ContentClaim): boolean {
    return (
      one.diskFormat === other.diskFormat &&
      one.containerFormat === other.containerFormat &&
      SIGNATURE_PROPERTIES.every((name) => one.properties[name] === other.properties[name])
    );
  }

  private async verifierFor({ id, properties }: ContentClaim): Promise<SignatureVerifier | null> {
    const claim = readSignature(id, properties);
    if (!claim) return null;
    try {
      return new SignatureVerifier(id, claim, await this.certificates.getKey(claim.certificateId));
    } catch (error) {
      if (error instanceof CertificateProblem) throw new ImageSignatureUnusableError(id, error.message);
      throw error;
    }
  }
}

class Probe implements ContentProbe {
  private refusal: Error | undefined;

  constructor(
    private readonly judge: FormatJudge,
    private readonly verifier: SignatureVerifier | null,
  ) {}

  write(chunk: Buffer): void {
    this.refusing(() => {
      this.judge.write(chunk);
      this.verifier?.write(chunk);
    });
  }

  finish(): ContentVerdict {
    return this.refusing(() => {
      const verdict = this.judge.finish();
      this.verifier?.finish();
      return verdict;
    });
  }

  /** Bytes that are on their way already come after a refusal, and must not look like the start of something. */
  private refusing<T>(step: () => T): T {
    if (this.refusal) throw this.refusal;
    try {
      return step();
    } catch (error) {
      this.refusal = error as Error;
      throw error;
    }
  }
}
