import type { Image, ShownLocation } from '../../../modules/images/index.js';
import { presentTime } from '../../shared/wire-time.js';

/** Which of its places an image shows. */
export interface ShownPlaces {
  /** In the order of the alphabet: tempest compares the text. */
  readonly stores?: string;
  readonly locations?: readonly ShownLocation[];
  readonly direct_url?: string;
}

/** Custom properties stand beside the attributes. */
type WireImage = ReturnType<typeof presentAttributes> & { readonly [name: string]: unknown };

/** An image on the wire. No property passes for an attribute. */
export function presentImage(image: Image, places: ShownPlaces = {}): WireImage {
  // Added one by one: an object of two spreads is made thirty times as slowly, most of what a list costs.
  const wire: { [name: string]: unknown } & ReturnType<typeof presentAttributes> = presentAttributes(image, places);
  for (const [name, value] of Object.entries(image.properties)) {
    if (Object.hasOwn(wire, name)) continue;
    if (name === '__proto__') Object.defineProperty(wire, name, { value, enumerable: true });
    else wire[name] = value;
  }
  return wire;
}

function presentAttributes(image: Image, places: ShownPlaces) {
  const path = `/v2/images/${image.id}`;
  return {
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.projectId,
    protected: image.protected,
    os_hidden: image.hidden,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    min_disk: image.minDiskGib,
    min_ram: image.minRamMib,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    checksum: image.md5,
    os_hash_algo: image.hashAlgorithm,
    os_hash_value: image.hashValue,
    tags: image.tags,
    created_at: presentTime(image.createdAt),
    updated_at: presentTime(image.updatedAt),
    self: path,
    file: `${path}/file`,
    schema: '/v2/schemas/image',
    ...places,
  };
}
