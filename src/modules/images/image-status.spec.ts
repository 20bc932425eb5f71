import { describe, expect, it } from '@jest/globals';
import { checkTransition, hasData, IMAGE_STATUSES, mayBecome, type ImageStatus } from './image-status.js';

/** A mark stands where the row's status may become the column's, in the order of `IMAGE_STATUSES`. */
const ALLOWED: Readonly<Record<ImageStatus, string>> = {
  //               q s u i a d p k x
  queued: /*     */ '. + + + + . . . +',
  saving: /*     */ '+ . . . + . . + +',
  uploading: /*  */ '+ . . + . . . . +',
  importing: /*  */ '+ . . . + . . . +',
  active: /*     */ '+ . . . . + + . +',
  deactivated: /**/ '+ . . . + . . . +',
  pending_delete: '. . . . + . . . +',
  killed: /*     */ '. . . . . . . . +',
  deleted: /*    */ '. . . . . . . . .',
};

describe('the life of an image', () => {
  const pairs = IMAGE_STATUSES.flatMap((from) =>
    IMAGE_STATUSES.map((to, column) => [from, to, ALLOWED[from].split(' ')[column] === '+'] as const),
  );

  it.each(pairs)('%s → %s: %s', (from, to, allowed) => {
    expect(mayBecome(from, to)).toBe(allowed);
    if (allowed) expect(() => checkTransition('an-id', from, to)).not.toThrow();
    else expect(() => checkTransition('an-id', from, to)).toThrow(expect.objectContaining({ kind: 'conflict' }));
  });

  it.each([
    ['queued', false],
    ['saving', false],
    ['uploading', false],
    ['importing', false],
    ['active', true],
    ['deactivated', true],
  ] as const)('%s has data: %s', (status, expected) => {
    expect(hasData(status)).toBe(expected);
  });
});
