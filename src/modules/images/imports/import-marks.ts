import type { Image } from '../image.entity.js';
import { hasData } from '../image-status.js';
import type { ImageProperties } from '../images.types.js';

/** Names of the properties by which an import tells how far it is. */
const TASK = 'os_glance_import_task';
const REMAINING = 'os_glance_importing_to_stores';
const FAILED = 'os_glance_failed_import';

/** The task that imports an image just now; null: none. */
export function importTaskOf({ properties }: { readonly properties: ImageProperties }): string | null {
  return properties[TASK] || null;
}

/**
 * Whether a task still looks at the bytes of an image that lie on the web, and of which nothing is known so far. Nobody
 * reads them before.
 */
export function isUnexamined(image: Pick<Image, 'status' | 'hashValue' | 'primaryFileId' | 'properties'>): boolean {
  return (
    importTaskOf(image) !== null && hasData(image.status) && image.hashValue === null && image.primaryFileId === null
  );
}

/** Stores into which the last import of an image could not put its data. */
function failedStoresOf({ properties }: { readonly properties: ImageProperties }): readonly string[] {
  return (properties[FAILED] ?? '').split(',').filter(Boolean);
}

/** Stores that an import that ends early leaves without data: those that failed, or all of them where there was no data. */
export function missedStoresOf(image: { readonly properties: ImageProperties }): readonly string[] {
  const failed = failedStoresOf(image);
  return failed.length > 0 ? failed : (image.properties[REMAINING] ?? '').split(',').filter(Boolean);
}

/** The properties of an image whose import is under way. */
export function markImporting(
  properties: ImageProperties,
  taskId: string,
  remaining: readonly string[],
  failed: readonly string[],
): ImageProperties {
  return { ...properties, [TASK]: taskId, [REMAINING]: remaining.join(','), [FAILED]: failed.join(',') };
}

/** The properties of an image whose import has ended. The lists of stores stay, as empty as they are. */
export function markImported(properties: ImageProperties, failed: readonly string[]): ImageProperties {
  const { [TASK]: _task, ...others } = properties;
  return { ...others, [REMAINING]: '', [FAILED]: failed.join(',') };
}
