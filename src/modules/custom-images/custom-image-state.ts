import { CustomImageStateError } from './custom-images.errors.js';

export const CUSTOM_IMAGE_STATES = [
  'building',
  'complete',
  'failed',
  'rolling_back',
  'rolled_back',
  'rollback_failed',
  'deleting',
  'delete_failed',
] as const;
/** Where a custom image is: what it is made by, and how that ends. */
export type CustomImageState = (typeof CUSTOM_IMAGE_STATES)[number];

/** The one table of transitions. What was deleted has no state. */
const NEXT: Readonly<Record<CustomImageState, readonly CustomImageState[]>> = {
  building: ['complete', 'failed', 'rolling_back'],
  complete: ['deleting'],
  failed: ['deleting'],
  rolling_back: ['rolled_back', 'rollback_failed'],
  rolled_back: ['deleting'],
  rollback_failed: ['deleting'],
  deleting: ['delete_failed'],
  delete_failed: ['deleting'],
};

/** Whether a custom image may go from one state to the other. */
export function mayBecome(from: CustomImageState, to: CustomImageState): boolean {
  return NEXT[from].includes(to);
}

/** @throws CustomImageStateError */
export function checkTransition(name: string, from: CustomImageState, to: CustomImageState): void {
  if (!mayBecome(from, to)) throw new CustomImageStateError(name, from, to);
}
