import { describe, expect, it } from '@jest/globals';
import { addProperties, applyToProperties, replaceProperties } from './image-properties.js';

const PRESENT = { a: '1', b: '2', kiln_job_id: 'j' };

describe('adding properties', () => {
  it.each([
    [{}, {}],
    [{ a: '1' }, {}],
    [{ a: '1', b: '3', c: '' }, { setProperties: { b: '3', c: '' } }],
    [{ toString: 'x' }, { setProperties: { toString: 'x' } }],
  ])('%j writes what is new', (added, change) => {
    expect(addProperties(PRESENT, added)).toEqual(change);
  });

  it('does not overlook what only Kiln writes, even if it is the same', () => {
    const change = addProperties(PRESENT, { kiln_job_id: 'j' });

    expect(() => applyToProperties(PRESENT, change)).toThrow(expect.objectContaining({ kind: 'forbidden' }));
  });
});

describe('replacing properties', () => {
  it.each([
    [{}, { kiln_job_id: 'j' }],
    [{ b: '2' }, { b: '2', kiln_job_id: 'j' }],
    [
      { a: '9', c: '3' },
      { a: '9', c: '3', kiln_job_id: 'j' },
    ],
  ])('by %j keeps what only Kiln writes', (wanted, after) => {
    expect(applyToProperties(PRESENT, replaceProperties(PRESENT, wanted))).toEqual(after);
  });

  it('changes nothing when they are the same', () => {
    expect(replaceProperties(PRESENT, { a: '1', b: '2' })).toEqual({});
  });
});
