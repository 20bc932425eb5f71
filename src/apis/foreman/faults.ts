import type { Fault, RecordInvalidError } from '../../modules/provisioning/index.js';

/** Attributes that clients know by other names than the domain. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  operatingSystem: 'operatingsystem_id',
  architecture: 'architecture_id',
  computeResource: 'compute_resource_id',
  iamRole: 'iam_role',
  releaseName: 'release_name',
  passwordHash: 'password_hash',
  locations: 'location_ids',
  architectures: 'architecture_ids',
};

/** What is wrong with a record, as Rails tells of it. */
export function presentFaults({ id, faults }: RecordInvalidError) {
  const errors = Object.entries(faults).map(
    ([attribute, found]) => [ATTRIBUTES[attribute] ?? attribute, found.map(textOf)] as const,
  );
  return {
    id,
    errors: Object.fromEntries(errors),
    full_messages: errors.flatMap(([attribute, texts]) => texts.map((text) => sentence(attribute, text))),
  };
}

function textOf(fault: Fault): string {
  switch (fault.reason) {
    case 'blank':
      return "can't be blank";
    case 'taken':
      return 'has already been taken';
    case 'missing':
      return 'does not exist';
    case 'mismatch':
      return 'does not match the image';
    case 'credentials':
      return 'must not contain credentials';
    case 'white_space':
      return "can't contain white spaces";
    case 'characters':
      return 'contains a character that cannot be stored';
    case 'built_in':
      return 'is that of the registry itself and stays';
    case 'too_long':
      return `is too long (maximum is ${fault.maximum} characters)`;
    case 'not_found_in':
      return `could not be found in ${fault.computeResource}`;
    case 'in_use':
      return `is used by ${fault.names.join(', ')}`;
  }
}

/** @see ActiveModel::Errors#full_messages */
function sentence(attribute: string, text: string): string {
  const words = attribute === 'base' ? 'It' : attribute.replace(/_ids?$/, '').replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} ${text}`;
}
