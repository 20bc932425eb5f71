import { type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';

/** A certificate that cannot be used, and why. */
export class CertificateProblem extends Error {}

/** The certificates that the operator keeps for signed images: one file a certificate, named by its id. */
@Injectable()
export class Certificates {
  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /**
   * The public key of a certificate that is valid now.
   * @throws CertificateProblem
   */
  async getKey(id: string): Promise<KeyObject> {
    const certificate = await this.read(id);
    const now = this.clock.now();
    if (now < new Date(certificate.validFrom) || now > new Date(certificate.validTo)) {
      throw new CertificateProblem(
        `certificate ${id} is valid only from ${certificate.validFrom} to ${certificate.validTo}`,
      );
    }
    return certificate.publicKey;
  }

  private async read(id: string): Promise<X509Certificate> {
    const folder = this.config.images.certificatesDir;
    if (folder === undefined)
      throw new CertificateProblem('this deployment keeps no certificates; its operator may add some');
    // Nothing else is ever part of a path.
    if (!isUuid(id, true)) throw new CertificateProblem('img_signature_certificate_uuid is no UUID');
    let text: Buffer;
    try {
      text = await readFile(join(folder, `${id.toLowerCase()}.pem`));
    } catch (error) {
      throw new CertificateProblem(`there is no certificate ${id} here; its operator may add it`, { cause: error });
    }
    try {
      return new X509Certificate(text);
    } catch (error) {
      throw new CertificateProblem(`what is kept as certificate ${id} is none`, { cause: error });
    }
  }
}
