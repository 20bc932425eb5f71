import { NotFoundError, UnprocessableError } from '../../common/errors.js';

/** Nouns of this module, and of those whose texts are held against its rules. */
export type Noun =
  | 'image'
  | 'compute_resource'
  | 'operatingsystem'
  | 'architecture'
  | 'location'
  | 'organization'
  | 'personal_access_token';

/** Why an attribute cannot have a value. */
export type Fault =
  | {
      readonly reason:
        'blank' | 'taken' | 'missing' | 'mismatch' | 'credentials' | 'white_space' | 'characters' | 'built_in';
    }
  | { readonly reason: 'too_long'; readonly maximum: number }
  /** No image of the registry that the project can use. */
  | { readonly reason: 'not_found_in'; readonly computeResource: string }
  | { readonly reason: 'in_use'; readonly names: readonly string[] };

/** Faults by attribute, in the words of the domain; `base` is the record as a whole. */
export type Faults = Readonly<Record<string, readonly Fault[]>>;

/** No row of that number or name, or none that the actor may see. */
export class RowNotFoundError extends NotFoundError {
  override readonly code = 'provisioning.not_found';
  constructor(noun: Noun, key: string) {
    super(`There is no ${noun} ${key.slice(0, 255)}`, { noun, key });
  }
}

/** A record that cannot be stored as it is; `details.faults` has every reason. */
export class RecordInvalidError extends UnprocessableError {
  override readonly code = 'provisioning.invalid';
  constructor(
    noun: Noun,
    readonly id: number | null,
    readonly faults: Faults,
  ) {
    super(`The ${noun} cannot be stored: ${Object.keys(faults).join(', ')}`, { noun, id, faults });
  }
}

/** A name that was given in the place of a number belongs to nothing. */
export class ReferenceNotFoundError extends UnprocessableError {
  override readonly code = 'provisioning.reference_not_found';
  constructor(noun: Noun, name: string) {
    super(`Could not find ${noun} with name: ${name.slice(0, 255)}`, { noun, name });
  }
}
