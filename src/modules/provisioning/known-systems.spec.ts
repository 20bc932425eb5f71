import { expect, it } from '@jest/globals';
import { knownSystem } from './known-systems.js';

it.each([
  ['debian12', { name: 'Debian', major: '12', minor: '', family: 'Debian' }],
  ['ubuntu2404', { name: 'Ubuntu', major: '24', minor: '04', family: 'Debian' }],
  ['opensuse-leap15', { name: 'openSUSE-Leap', major: '15', minor: '', family: 'Suse' }],
  ['rocky9', { name: 'Rocky', major: '9', minor: '', family: 'Redhat' }],
  ['sles15', { name: 'SLES', major: '15', minor: '', family: 'Suse' }],
  ['alpine-3', { name: 'alpine', major: '3', minor: '', family: null }],
  ['gentoo', { name: 'gentoo', major: '0', minor: '', family: null }],
  ['42', { name: '42', major: '42', minor: '', family: null }],
])('takes the distribution %s for an operating system', (distribution, system) => {
  expect(knownSystem(distribution)).toEqual(system);
});
