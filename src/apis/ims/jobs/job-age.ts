import { BadParameterError } from '../ims.errors.js';

const MINUTE_MS = 60_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  w: 7 * 24 * 60 * MINUTE_MS,
  d: 24 * 60 * MINUTE_MS,
  h: 60 * MINUTE_MS,
  m: MINUTE_MS,
};
const PART = /(\d{1,7})\s*(w(?:eeks?)?|d(?:ays?)?|h(?:ours?)?|m(?:in(?:ute)?s?)?)(?![a-z])/gi;
const WHOLE = new RegExp(`^\\s*(?:${PART.source}\\s*)+$`, 'i');

/**
 * Reads `1w2d`, `6h`, `2days`: the parts are added up. The reference ignores what it cannot read, so that `soon` means
 * every job; here all of it must be understood.
 *
 * @throws BadParameterError
 */
export function parseAge(text: string): number {
  if (!WHOLE.test(text)) throw new BadParameterError('age', 'must look like 1w, 2d, 6h, 30m or 1d6h');
  return [...text.matchAll(PART)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit![0]!.toLowerCase()]!,
    0,
  );
}
