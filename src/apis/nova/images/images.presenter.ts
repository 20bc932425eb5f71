import type { Image, ImageProperties, ImageStatus } from '../../../modules/images/index.js';
import { nestsDeeper } from '../../shared/requests/json-body.js';
import { presentTime } from '../../shared/wire-time.js';
import type { ComputeLinks } from '../compute-links.js';

/** @see nova.api.openstack.compute.views.images */
const STATUS = {
  queued: ['SAVING', 25],
  saving: ['SAVING', 50],
  uploading: ['UNKNOWN', 0],
  importing: ['UNKNOWN', 0],
  active: ['ACTIVE', 100],
  deactivated: ['UNKNOWN', 0],
  pending_delete: ['DELETED', 0],
  killed: ['ERROR', 0],
  deleted: ['DELETED', 0],
} as const satisfies Record<ImageStatus, readonly [word: string, progress: number]>;

/** Properties that are JSON in a text, and are shown as what it says. */
const STRUCTURED: ReadonlySet<string> = new Set(['mappings', 'block_device_mapping']);
const DEEPEST = 32;
const TRUE_WORDS: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes']);

/** An image in a list without detail. */
export function presentImageInBrief({ id, name }: Image, links: ComputeLinks) {
  return { id, name, links: links.ofImage(id) };
}

/** An image. No other keys: tempest's schema has none. */
export function presentImage(image: Image, links: ComputeLinks) {
  const [status, progress] = STATUS[image.status];
  return {
    id: image.id,
    name: image.name,
    status,
    progress,
    minDisk: image.minDiskGib,
    minRam: image.minRamMib,
    'OS-EXT-IMG-SIZE:size': image.sizeBytes ?? 0,
    created: presentTime(image.createdAt),
    updated: presentTime(image.updatedAt),
    metadata: presentMetadata(image.properties),
    links: links.ofImage(image.id),
    ...presentDiskConfig(image.properties),
    ...presentServer(image.properties, links),
  };
}

/** Every custom property. */
export function presentMetadata(properties: ImageProperties): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [name, STRUCTURED.has(name) ? parsedIfJson(value) : value]),
  );
}

/** What no client could have meant as structure stays the text that it is. */
function parsedIfJson(text: string): unknown {
  try {
    const parsed = JSON.parse(text) as unknown;
    return nestsDeeper(parsed, DEEPEST) ? text : parsed;
  } catch {
    return text;
  }
}

function presentDiskConfig({ auto_disk_config: auto }: ImageProperties): { 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL' } {
  if (auto === undefined) return {};
  return { 'OS-DCF:diskConfig': TRUE_WORDS.has(auto.trim().toLowerCase()) ? 'AUTO' : 'MANUAL' };
}

interface ServerReference {
  readonly id: string;
  readonly links: ReturnType<ComputeLinks['ofServer']>;
}

/** The server of which the image is a snapshot. */
function presentServer({ instance_uuid: id }: ImageProperties, links: ComputeLinks): { server?: ServerReference } {
  return id === undefined || id === '' ? {} : { server: { id, links: links.ofServer(id) } };
}
