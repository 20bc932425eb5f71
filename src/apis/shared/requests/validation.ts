import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';

/** Faults by field; nested objects nest, list elements stand under their index. */
export interface FieldFaults {
  [field: string]: string[] | FieldFaults;
}

/** A request in the shape that its class declares, or every fault of it at once. */
export type Validated<T> =
  { readonly value: T; readonly faults: null } | { readonly value: null; readonly faults: FieldFaults };

/** Checks the shape of what a client sent against a class-validator class. Unknown members are faults. */
export function validate<T extends object>(type: new () => T, input: object): Validated<T> {
  const value = plainToInstance(type, input);
  const errors = validateSync(value, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: false,
  });
  return errors.length === 0 ? { value, faults: null } : { value: null, faults: toFaults(errors) };
}

function toFaults(errors: readonly ValidationError[]): FieldFaults {
  return Object.fromEntries(
    errors.map((error) => [
      error.property,
      error.children && error.children.length > 0 ? toFaults(error.children) : ownFaults(error.constraints ?? {}),
    ]),
  );
}

/** A value that should have been an object has no fields to name, so its fault stands under `_schema`. */
function ownFaults(constraints: Readonly<Record<string, string>>): string[] | FieldFaults {
  const { nestedValidation, ...others } = constraints;
  if (nestedValidation === undefined || constraints.isArray !== undefined) return Object.values(others);
  return { _schema: [nestedValidation] };
}
