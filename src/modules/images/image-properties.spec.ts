import { describe, expect, it } from '@jest/globals';
import { addProperties, applyToProperties, checkWritable, replaceProperties } from './image-properties.js';

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

    expect(() => applyToProperties(PRESENT, change, true)).toThrow(expect.objectContaining({ kind: 'forbidden' }));
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
    expect(applyToProperties(PRESENT, replaceProperties(PRESENT, wanted), false)).toEqual(after);
  });

  it('changes nothing when they are the same', () => {
    expect(replaceProperties(PRESENT, { a: '1', b: '2' })).toEqual({});
  });
});

describe('the property of official images', () => {
  const flagged = { kiln_official_os: 'rocky9' };

  it('is written and removed by administrators', () => {
    expect(applyToProperties({}, { setProperties: flagged }, true)).toEqual(flagged);
    expect(applyToProperties(flagged, { removeProperties: ['kiln_official_os'] }, true)).toEqual({});
  });

  it.each([{ setProperties: flagged }, { removeProperties: ['kiln_official_os'] }])(
    'is refused to others: %j',
    (change) => {
      expect(() => applyToProperties(flagged, change, false)).toThrow(expect.objectContaining({ kind: 'forbidden' }));
    },
  );
});

describe('properties that mean something to whoever boots the image', () => {
  const ID = '0F3C1C54-6f53-4a41-9d9b-0a2c5f3f8b11';

  it.each([
    ['kernel_id', ID, true],
    ['ramdisk_id', ID, true],
    ['kernel_id', '', false],
    ['ramdisk_id', 'vmlinuz', false],
    ['cinder_encryption_key_deletion_policy', 'do_not_delete', true],
    ['cinder_encryption_key_deletion_policy', 'never', false],
    ['kernel', 'vmlinuz', true],
  ])('%s may be %j: %s', (name, value, isTaken) => {
    const write = () => checkWritable({ [name]: value }, false);

    if (isTaken) expect(write).not.toThrow();
    else expect(write).toThrow(expect.objectContaining({ code: 'images.property_invalid' }));
  });
});
