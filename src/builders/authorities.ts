import { readFile } from 'node:fs/promises';
import { BuildFailedError } from '../modules/jobs/index.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g;

/**
 * Certificates of the authorities that builds trust beside the usual ones, as PEM. Read for each build, so that a new one
 * needs no restart. Whatever else is in the file (a key, say) stays there: what is told here becomes part of images.
 *
 * @param path of the file; undefined: there are none
 * @throws BuildFailedError the file cannot be read, or has none
 */
export async function readAuthorities(path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return [];
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw unusable(error.message);
  });
  const certificates = text.match(CERTIFICATE)?.map((certificate) => `${certificate.replaceAll('\r', '')}\n`);
  if (!certificates) throw unusable('it has no certificate in PEM');
  return certificates;
}

function unusable(why: string): BuildFailedError {
  return new BuildFailedError('builder.unavailable', `The file of KILN_BUILD_CA_FILE cannot be used: ${why}`);
}
