import type { GivenLocation, ValidationData } from '../../../modules/images/index.js';
import { isJsonObject, storableText } from '../../shared/requests/json-body.js';
import { RequestInvalidError } from '../glance.errors.js';

/** In characters. */
export const LONGEST_URL = 255;
const LONGEST_METADATA = 4_096;

/**
 * A place as a PATCH gives it.
 * @throws RequestInvalidError
 */
export function readLocation(value: unknown): GivenLocation {
  if (!isJsonObject(value)) throw invalid('each must be an object');
  const { url, metadata, validation_data: validation, ...others } = value;
  // What the server shows beside is of no meaning.
  if (Object.keys(others).some((key) => key !== 'status')) throw invalid('each has url, metadata and validation_data');
  if (typeof url !== 'string' || url === '' || [...url].length > LONGEST_URL) {
    throw invalid(`url must be a text of at most ${LONGEST_URL} characters`);
  }
  if (!isJsonObject(metadata)) throw invalid('metadata must be an object');
  const text = storableText(metadata);
  if (text === null) throw invalid('metadata has characters that cannot be kept, or nests too deep');
  if (text.length > LONGEST_METADATA) throw invalid(`metadata may have at most ${LONGEST_METADATA} characters`);
  return { url, metadata, validation: validation === undefined ? null : readValidation(validation) };
}

function readValidation(value: unknown): ValidationData {
  if (!isJsonObject(value)) throw invalid('validation_data must be an object');
  const { checksum, os_hash_algo: hashAlgorithm, os_hash_value: hashValue, ...others } = value;
  if (Object.keys(others).length > 0) throw invalid('validation_data has checksum, os_hash_algo and os_hash_value');
  if (typeof hashAlgorithm !== 'string' || typeof hashValue !== 'string') {
    throw invalid('validation_data must have os_hash_algo and os_hash_value');
  }
  if (checksum === undefined) return { hashAlgorithm, hashValue };
  if (typeof checksum !== 'string') throw invalid('checksum must be a text');
  return { checksum, hashAlgorithm, hashValue };
}

const invalid = (fault: string) => new RequestInvalidError(`Invalid value for 'locations': ${fault}`);
