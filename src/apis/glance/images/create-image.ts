import type { CreateImage } from '../../../modules/images/index.js';
import { isJsonObject } from '../../shared/requests/json-body.js';
import { AttributeReadOnlyError, AttributeReservedError, RequestInvalidError } from '../glance.errors.js';
import {
  checkAttribute,
  checkFormat,
  type FormatWords,
  isReserved,
  isWritable,
  meantBy,
  READ_ONLY,
  WRITABLE,
} from './image-attributes.js';

/** Refused before the body is held against the schema. */
const READ_ONLY_FIRST = ['self', 'file', 'schema', 'direct_url', 'stores'];
/** Read-only, yet passed over in silence. */
const IGNORED: ReadonlySet<string> = new Set(['os_hash_algo', 'os_hash_value']);

/**
 * Reads the body of a create.
 *
 * @throws RequestInvalidError it breaks the schema
 * @throws AttributeReadOnlyError, AttributeReservedError
 * @see Image API v2, "Create image"
 */
export function toCreateImage(body: unknown, formats: FormatWords): CreateImage {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const readOnly = READ_ONLY_FIRST.find((name) => Object.hasOwn(body, name));
  if (readOnly !== undefined) throw new AttributeReadOnlyError(readOnly);
  const entries = Object.entries(body);
  for (const [name, value] of entries) {
    checkAttribute(name, value);
    checkFormat(name, value, formats);
  }

  const command: Record<string, unknown> = {};
  const properties: [string, string][] = [];
  for (const [name, value] of entries) {
    if (name === 'id') command.id = (value as string).toLowerCase();
    else if (isWritable(name)) command[WRITABLE[name]] = meantBy(name, value);
    else if (IGNORED.has(name)) continue;
    else if (READ_ONLY.has(name)) throw new AttributeReadOnlyError(name);
    else if (isReserved(name)) throw new AttributeReservedError(name);
    // A declared property that is null is as good as none.
    else if (value !== null) properties.push([name, value as string]);
  }
  return { ...command, properties: Object.fromEntries(properties) };
}
