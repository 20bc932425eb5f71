import { ImageStatusConflictError } from './images.errors.js';

/** A stage of an image's life. */
export const IMAGE_STATUSES = [
  'queued',
  'saving',
  'uploading',
  'importing',
  'active',
  'deactivated',
  'pending_delete',
  'killed',
  'deleted',
] as const;
export type ImageStatus = (typeof IMAGE_STATUSES)[number];

/**
 * What may follow what; a status that does not stand here is the end. An image whose bytes lie elsewhere is `active` (or
 * taken out of use meanwhile) before a task has looked at them; if they are not what they should be it is `queued` again.
 * Nobody has read any of them by then, so this is no way to change what somebody has seen.
 */
const NEXT: Readonly<Record<ImageStatus, readonly ImageStatus[]>> = {
  queued: ['saving', 'uploading', 'importing', 'active', 'deleted'],
  saving: ['active', 'queued', 'killed', 'deleted'],
  uploading: ['importing', 'queued', 'deleted'],
  importing: ['active', 'queued', 'deleted'],
  active: ['queued', 'deactivated', 'pending_delete', 'deleted'],
  deactivated: ['queued', 'active', 'deleted'],
  pending_delete: ['deleted', 'active'],
  killed: ['deleted'],
  deleted: [],
};

/** Statuses in which an image has no bytes that could be read. */
const WITHOUT_DATA: ReadonlySet<ImageStatus> = new Set(['queued', 'saving', 'uploading', 'importing', 'killed']);

/** Whether an image may go from one status to another. */
export function mayBecome(from: ImageStatus, to: ImageStatus): boolean {
  return NEXT[from].includes(to);
}

/** @throws ImageStatusConflictError the image may not go from one status to the other */
export function checkTransition(imageId: string, from: ImageStatus, to: ImageStatus): void {
  if (!mayBecome(from, to)) throw new ImageStatusConflictError(imageId, from, to);
}

/** Whether an image of this status has complete bytes. */
export function hasData(status: ImageStatus): boolean {
  return !WITHOUT_DATA.has(status);
}
