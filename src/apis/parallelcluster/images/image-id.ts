import { CustomImageNameTooLongError, LONGEST_NAME, type NameLength } from '../../../modules/custom-images/index.js';
import type { Dialect } from '../dialect.js';
import { BadInputError } from '../parallelcluster.errors.js';
import { quoted } from '../query.js';

const PATTERN = '^[a-zA-Z][a-zA-Z0-9-]+$';
const FORM = new RegExp(PATTERN);
/** The released document leaves the length to the configuration's model. */
export const PREVIEW_LENGTH: NameLength = { minimum: 5, maximum: 60 };

/**
 * Checks the name that a client gives to an image.
 * @throws BadInputError
 */
export function checkImageId(id: string, dialect: Dialect, member: 'imageId' | 'id'): string {
  if (!FORM.test(id)) throw new BadInputError(`${quoted(id)} does not match '${PATTERN}' - '${member}'`);
  const { minimum, maximum } = PREVIEW_LENGTH;
  if (dialect === 'preview' && (id.length < minimum || id.length > maximum)) {
    throw new BadInputError(`${quoted(id)} must have ${minimum} to ${maximum} characters - '${member}'`);
  }
  return id;
}

/**
 * Checks the name of an image in a path.
 * @throws BadInputError
 * @throws CustomImageNameTooLongError
 */
export function checkPathId(id: string, dialect: Dialect): string {
  checkImageId(id, dialect, 'imageId');
  if (id.length > LONGEST_NAME) throw new CustomImageNameTooLongError(id, LONGEST_NAME);
  return id;
}
