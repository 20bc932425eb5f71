import { describe, expect, it } from '@jest/globals';
import { canonicalName, spellingsOf } from './spellings.js';

describe('an architecture', () => {
  it.each([
    ['arm64', 'aarch64'],
    ['AArch64', 'aarch64'],
    ['AMD64', 'x86_64'],
    ['riscv64', 'riscv64'],
    ['constructor', 'constructor'],
  ])('spelled %s is %s', (spelling, name) => {
    expect(canonicalName(spelling)).toBe(name);
  });

  it.each([
    ['arm64', ['aarch64', 'arm64']],
    ['x86_64', ['x86_64', 'amd64']],
    ['ARM64', ['ARM64']],
    ['constructor', ['constructor']],
  ])('named %s is looked for as %j', (name, spellings) => {
    expect(spellingsOf(name)).toEqual(spellings);
  });
});
