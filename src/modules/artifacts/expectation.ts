import { type Address, formatAddress } from './address.js';
import type { Artifact } from './artifact.entity.js';
import { ArtifactChangedError } from './artifacts.errors.js';

/** What somebody saw at an address, and wants to find there still. */
export interface Expectation {
  /** Something with one of these etags lies there; `any`: something does. */
  readonly present?: 'any' | readonly string[];
  /** Nothing with one of these etags lies there; `any`: nothing does. */
  readonly absent?: 'any' | readonly string[];
  readonly placedUntil?: Date;
}

/** @throws ArtifactChangedError something else lies at the address, or nothing */
export function checkExpectation(address: Address, found: Artifact | null, expected: Expectation = {}): void {
  const { present, absent, placedUntil } = expected;
  const isExpected =
    (present === undefined || isOneOf(found, present)) &&
    (absent === undefined || !isOneOf(found, absent)) &&
    (placedUntil === undefined || found === null || found.createdAt <= placedUntil);
  if (!isExpected) throw new ArtifactChangedError(formatAddress(address));
}

/** Whether something lies there that has one of the etags. */
export function isOneOf(found: Pick<Artifact, 'etag'> | null, etags: 'any' | readonly string[]): boolean {
  return found !== null && (etags === 'any' || etags.includes(found.etag));
}
