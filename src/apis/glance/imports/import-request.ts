import type { StoreChoice } from '../../../modules/images/index.js';
import type { ImportImage } from '../../../modules/jobs/index.js';
import { isJsonObject } from '../../shared/requests/json-body.js';
import { RequestInvalidError } from '../glance.errors.js';

/** The name under which the jobs of this face are kept. */
export const GLANCE_JOBS = 'glance';

/**
 * Reads the body of an import. What a method needs beside its name is looked at later, when the image is known to be fit.
 *
 * @param store the header `X-Image-Meta-Store`
 * @throws RequestInvalidError it breaks the schema
 * @see Image API v2, "Import an image"
 */
export function toImportImage(body: unknown, store: string | undefined, token: string | undefined): ImportImage {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const { method } = body;
  if (method === undefined) throw new RequestInvalidError("Import request requires a 'method' field.");
  if (!isJsonObject(method)) throw new RequestInvalidError("'method' must be an object.");
  if (method.name === undefined) throw new RequestInvalidError("Import request requires a 'name' field.");
  if (typeof method.name !== 'string') throw new RequestInvalidError("'name' of 'method' must be a string.");
  return {
    face: GLANCE_JOBS,
    method: method.name,
    uri: method.uri,
    region: method.glance_region,
    imageId: method.glance_image_id,
    serviceInterface: method.glance_service_interface,
    stores: readStores(body, store),
    allStoresMustSucceed: readBoolean(body, 'all_stores_must_succeed'),
    token,
  };
}

function readStores(body: Readonly<Record<string, unknown>>, header: string | undefined): StoreChoice {
  const { stores } = body;
  const all = readBoolean(body, 'all_stores');
  if (stores === undefined) return { all, header };
  if (!Array.isArray(stores) || !stores.every((store) => typeof store === 'string')) {
    throw new RequestInvalidError("'stores' must be a list of strings.");
  }
  return { all, named: stores, header };
}

function readBoolean(body: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = body[name];
  if (value !== undefined && typeof value !== 'boolean') throw new RequestInvalidError(`'${name}' must be a boolean.`);
  return value;
}
