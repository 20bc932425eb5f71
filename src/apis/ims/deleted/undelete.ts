import type { FastifyRequest } from 'fastify';
import { KilnError } from '../../../common/errors.js';
import type { FieldFaults } from '../../shared/requests/validation.js';
import { readBody } from '../ims-body.js';
import { Choice } from '../ims-fields.js';
import { UndeleteFailedError } from '../ims.errors.js';

/** Body of PATCH /v3/deleted/…. @see Image Management Service v3, PatchDeletedRecord */
class UndeleteRequest {
  @Choice(['undelete'])
  operation: 'undelete';
}

/** @throws anything that `readBody` throws: there is one operation, and it has to be named */
export function checkUndelete(request: FastifyRequest): void {
  readBody(request, UndeleteRequest);
}

/**
 * Does something to each of many records. Those that it fails for stay as they are, and are told of in the end; those
 * that are gone by then are no failure.
 *
 * @throws UndeleteFailedError with the messages by record
 */
export async function restoreEach(
  records: AsyncIterable<{ readonly id: string }>,
  restore: (id: string) => Promise<unknown>,
): Promise<void> {
  const failures = new Map<string, string[]>();
  for await (const { id } of records) {
    await restore(id).catch((error: unknown) => {
      if (!(error instanceof KilnError) || error.kind === 'unavailable') throw error;
      if (error.kind !== 'not_found') failures.set(id, [error.message]);
    });
  }
  const errors: FieldFaults = Object.fromEntries(failures);
  if (failures.size > 0) throw new UndeleteFailedError(errors);
}

/** Somebody else restored or purged it first. */
export function ignoreGone(error: unknown): void {
  if (!(error instanceof KilnError) || error.kind !== 'not_found') throw error;
}

/** A record of the deleted set: as it was, and when it was deleted. */
export function presentDeleted<Wire extends object>(wire: Wire, { deletedAt }: { readonly deletedAt: Date | null }) {
  return { ...wire, deleted: deletedAt!.toISOString() };
}
