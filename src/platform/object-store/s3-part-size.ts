const MIB = 1024 * 1024;
/** S3 takes no more parts than this. */
export const MOST_PARTS = 10_000;
/** What a server takes that nobody configured for more: OpenStack Swift. */
export const FEW_PARTS = 1_000;
/** Disk that an upload needs is twice this, so no part is larger unless `MOST_PARTS` demands it. */
const LARGE_PART_BYTES = 256 * MIB;

/** From which share of the few parts on parts are larger, when the length of the whole is not known. */
const STEPS = [
  { after: 0.8, bytes: LARGE_PART_BYTES },
  { after: 0.6, bytes: 64 * MIB },
];

/**
 * How large a part must be so that the whole fits into `fewParts` if that can be, and into `MOST_PARTS` in any case.
 *
 * Of known length: all alike (some servers insist on it). Else parts grow with their number, so that an ordinary image
 * is sent in parts that fit in memory, 65 GiB in few parts, and a terabyte still can be.
 *
 * @param number counted from 1
 */
export function partSize(
  number: number,
  smallestBytes: number,
  sizeBytes: number | undefined,
  fewParts = FEW_PARTS,
): number {
  if (sizeBytes !== undefined) {
    const forFew = Math.min(mebibytes(sizeBytes / fewParts), LARGE_PART_BYTES);
    return Math.max(smallestBytes, forFew, mebibytes(sizeBytes / MOST_PARTS));
  }
  const step = STEPS.find(({ after }) => number > after * fewParts);
  return Math.max(smallestBytes, step?.bytes ?? 0);
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / MIB) * MIB;
}
