const MIB = 1024 * 1024;
/** S3 takes no more parts than this. */
export const MOST_PARTS = 10_000;

/** From which part on parts are larger, when the length of the whole is not known: 20 GiB, 145 GiB, 1.1 TiB. */
const STEPS = [
  { after: 6_000, bytes: 256 * MIB },
  { after: 4_000, bytes: 64 * MIB },
];

/**
 * How large a part must be so that the whole fits into `MOST_PARTS`.
 *
 * Of known length: all alike (some servers insist on it). Else parts grow with their number, so that an ordinary image
 * is sent in parts that fit in memory and a terabyte still can be.
 *
 * @param number counted from 1
 */
export function partSize(number: number, smallestBytes: number, sizeBytes: number | undefined): number {
  if (sizeBytes !== undefined) return Math.max(smallestBytes, Math.ceil(sizeBytes / MOST_PARTS / MIB) * MIB);
  const step = STEPS.find(({ after }) => number > after);
  return Math.max(smallestBytes, step?.bytes ?? 0);
}
