/** How grave a finding is, the least first. */
export const VALIDATION_LEVELS = ['INFO', 'WARNING', 'ERROR'] as const;
export type ValidationLevel = (typeof VALIDATION_LEVELS)[number];

/** What a validator found. */
export interface ValidationMessage {
  readonly level: ValidationLevel;
  /** The name of the validator. */
  readonly type: string;
  readonly message: string;
}

/** Whether a finding is at least that grave. */
export function isAtLeast(level: ValidationLevel, least: ValidationLevel): boolean {
  return VALIDATION_LEVELS.indexOf(level) >= VALIDATION_LEVELS.indexOf(least);
}
