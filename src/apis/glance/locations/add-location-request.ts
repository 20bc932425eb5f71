import {
  type AddImageLocation,
  type AwaitedDigest,
  HASH_ALGORITHMS,
  type HashAlgorithm,
} from '../../../modules/jobs/index.js';
import { isJsonObject } from '../../shared/requests/json-body.js';
import { RequestInvalidError } from '../glance.errors.js';
import { LONGEST_URL } from '../images/location-value.js';
import { GLANCE_JOBS } from '../imports/import-request.js';

/**
 * Reads the body of a new location.
 * @throws RequestInvalidError
 * @see Image API v2, "Add location"
 */
export function toAddLocation(body: unknown): AddImageLocation {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const { url, validation_data: validation, ...others } = body;
  if (Object.keys(others).length > 0) throw new RequestInvalidError('A location has a url and validation_data');
  if (typeof url !== 'string' || url === '' || [...url].length > LONGEST_URL) {
    throw new RequestInvalidError(`'url' must be a text of at most ${LONGEST_URL} characters`);
  }
  return { face: GLANCE_JOBS, url, validation: validation == null ? null : readValidation(validation) };
}

/** Clients that have nothing to say send an empty object. */
function readValidation(value: unknown): AwaitedDigest | null {
  if (!isJsonObject(value)) throw new RequestInvalidError("'validation_data' must be an object");
  const { os_hash_algo: algorithm, os_hash_value: digest, ...others } = value;
  if (Object.keys(others).length > 0) {
    throw new RequestInvalidError("'validation_data' has os_hash_algo and os_hash_value");
  }
  if (algorithm == null && digest == null) return null;
  if (typeof algorithm !== 'string' || typeof digest !== 'string') {
    throw new RequestInvalidError('os_hash_algo and os_hash_value go together, and are texts');
  }
  if (!isAlgorithm(algorithm)) {
    throw new RequestInvalidError(`os_hash_algo must be one of ${Object.keys(HASH_ALGORITHMS).join(', ')}`);
  }
  const digits = HASH_ALGORITHMS[algorithm];
  if (!/^[0-9a-f]+$/i.test(digest) || digest.length !== digits) {
    throw new RequestInvalidError(`os_hash_value of ${algorithm} must be ${digits} hexadecimal digits`);
  }
  return { algorithm, value: digest.toLowerCase() };
}

function isAlgorithm(name: string): name is HashAlgorithm {
  return Object.hasOwn(HASH_ALGORITHMS, name);
}
