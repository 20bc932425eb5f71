import { isStorable } from '../../platform/database/storable-text.js';
import { type Fault, type Faults, type Noun, RecordInvalidError } from './provisioning.errors.js';

/** Everything of these tables that is a name or a word. */
export const TEXT_MAXIMUM = 255;

/** Collects what is wrong with a record, so that all of it is told at once. */
export class FaultList {
  private readonly faults: Record<string, Fault[]> = {};

  add(attribute: string, fault: Fault): void {
    (this.faults[attribute] ??= []).push(fault);
  }

  /** A text that must be there. */
  required(attribute: string, value: string | null, maximum = TEXT_MAXIMUM): void {
    if (value === null || value.trim() === '') this.add(attribute, { reason: 'blank' });
    else this.short(attribute, value, maximum);
  }

  /** A text that may be absent. */
  short(attribute: string, value: string | null, maximum = TEXT_MAXIMUM): void {
    if (value === null) return;
    if ([...value].length > maximum) this.add(attribute, { reason: 'too_long', maximum });
    if (!isStorable(value)) this.add(attribute, { reason: 'characters' });
  }

  has(attribute: string): boolean {
    return this.faults[attribute] !== undefined;
  }

  /** @throws RecordInvalidError there is any fault */
  check(noun: Noun, id: number | null): void {
    if (Object.keys(this.faults).length > 0) throw new RecordInvalidError(noun, id, this.faults satisfies Faults);
  }
}

/** One fault of one attribute. */
export function refusal(noun: Noun, id: number | null, attribute: string, fault: Fault): RecordInvalidError {
  return new RecordInvalidError(noun, id, { [attribute]: [fault] });
}
