import { type Address, DELETED_PREFIX } from '../../artifacts/index.js';
import { IMAGE_BUCKET } from '../registration/built-images.service.js';

/** Where the manifest of a deleted image lies. @param between keeps it apart from what somebody put there */
export function deletedManifestAddress(imageId: string, between?: string): Address {
  const folder = between === undefined ? imageId : `${imageId}/${between}`;
  return { bucket: IMAGE_BUCKET, key: `${DELETED_PREFIX}${folder}/deleted_manifest.json` };
}
