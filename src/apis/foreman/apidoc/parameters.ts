/** A parameter as the description of the API has it. Clients refuse what does not fit before they send it. */
export interface ParameterDocument {
  readonly name: string;
  readonly full_name: string;
  readonly description: string;
  readonly required: boolean;
  readonly allow_nil: boolean;
  readonly allow_blank: boolean;
  readonly validator: string;
  readonly expected_type: ExpectedType;
  readonly metadata: null;
  readonly show: boolean;
  readonly validations: readonly string[];
  readonly params?: readonly ParameterDocument[];
}

export type ExpectedType = 'string' | 'numeric' | 'boolean' | 'hash' | 'array';

/** What is said of a parameter; `full_name` follows from where it stands. */
export interface Parameter {
  readonly name: string;
  readonly type: ExpectedType;
  readonly description: string;
  readonly required?: boolean;
  readonly nil?: boolean;
  readonly validator?: string;
  readonly params?: readonly Parameter[];
}

const VALIDATORS: Readonly<Record<ExpectedType, string>> = {
  string: 'Must be a String',
  numeric: 'Must be a number.',
  boolean: 'Must be one of: <code>true</code>, <code>false</code>, <code>1</code>, <code>0</code>.',
  hash: 'Must be a Hash',
  array: 'Must be an array of any type',
};

const IDENTIFIER =
  'Must be an identifier, string from 1 to 128 characters containing only alphanumeric characters, space, underscore(_), hypen(-) with no leading or trailing space.';

export const text = (name: string, description: string, more: Partial<Parameter> = {}): Parameter => ({
  name,
  type: 'string',
  description,
  ...more,
});

export const number = (name: string, description: string, more: Partial<Parameter> = {}): Parameter => ({
  name,
  type: 'numeric',
  description,
  ...more,
});

export const flag = (name: string, description: string, more: Partial<Parameter> = {}): Parameter => ({
  name,
  type: 'boolean',
  description,
  ...more,
});

export const list = (name: string, description: string): Parameter => ({ name, type: 'array', description });

/** The attributes of a resource, in its name. */
export const wrapped = (name: string, params: readonly Parameter[], required = true): Parameter => ({
  name,
  type: 'hash',
  description: '',
  required,
  params,
});

/** Where something is, by number or name. */
export const identifier = (name: string, description: string, required = false): Parameter =>
  text(name, description, { required, validator: IDENTIFIER });

/** Which part of the deployment is looked at. */
export const CONTEXT: readonly Parameter[] = [
  number('location_id', 'Scope by locations'),
  number('organization_id', 'Scope by organizations'),
];

/** What every list takes. */
export const LISTING: readonly Parameter[] = [
  text('search', 'filter results'),
  text('order', "Sort and order by a searchable field, e.g. '<field> DESC'"),
  number('page', 'Page number, starting at 1'),
  text('per_page', "Number of results per page to return, 'all' to return all results", {
    validator: 'Must match regular expression <code>/\\A([1-9]\\d*|all)\\Z/</code>.',
  }),
];

export function presentParameter(parameter: Parameter, wrapper: string | null = null): ParameterDocument {
  const { name, type, description, required = false, nil = false, validator = VALIDATORS[type], params } = parameter;
  const fullName = wrapper === null ? name : `${wrapper}[${name}]`;
  return {
    name,
    full_name: fullName,
    description: description === '' ? '' : `<p>${description}</p>`,
    required,
    allow_nil: nil,
    allow_blank: false,
    validator,
    expected_type: type,
    metadata: null,
    show: true,
    validations: [],
    ...(params ? { params: params.map((each) => presentParameter(each, fullName)) } : {}),
  };
}
