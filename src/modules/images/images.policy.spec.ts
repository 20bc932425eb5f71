import { describe, expect, it } from '@jest/globals';
import { Actor, type Role } from '../tenancy/index.js';
import { Image } from './image.entity.js';
import { ImagesPolicy, type Sighting } from './images.policy.js';
import type { MemberStatus, Visibility } from './images.types.js';

const policy = new ImagesPolicy();

const user = (projectId: string | null, ...roles: Role[]): Actor =>
  Actor.user({ id: 'u', name: 'u', projectId, projectName: projectId, roles });
const ACTORS = {
  owner: user('owning', 'member'),
  ownReader: user('owning', 'reader'),
  member: user('other', 'member'),
  reader: user('other', 'reader'),
  admin: user('elsewhere', 'admin'),
  nobody: user(null),
  service: user('services', 'service'),
};
type Who = keyof typeof ACTORS;

function sighting(
  visibility: Visibility,
  memberStatus: MemberStatus | null = null,
  changes: Partial<Image> = {},
): Sighting {
  const image = Object.assign(new Image(), {
    id: 'an-id',
    projectId: 'owning',
    status: 'active',
    protected: false,
    visibility,
    ...changes,
  });
  return { image, memberStatus };
}

function outcome(check: () => void): string {
  try {
    check();
    return 'yes';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

describe('seeing an image', () => {
  const table: [string, Sighting, readonly Who[]][] = [
    ['private', sighting('private'), ['owner', 'ownReader', 'admin']],
    ['shared', sighting('shared'), ['owner', 'ownReader', 'admin']],
    ['shared with the other', sighting('shared', 'pending'), ['owner', 'ownReader', 'member', 'reader', 'admin']],
    ['shared, and refused', sighting('shared', 'rejected'), ['owner', 'ownReader', 'member', 'reader', 'admin']],
    ['private, once shared', sighting('private', 'accepted'), ['owner', 'ownReader', 'admin']],
    ['community', sighting('community'), ['owner', 'ownReader', 'member', 'reader', 'admin']],
    ['public', sighting('public'), ['owner', 'ownReader', 'member', 'reader', 'admin']],
    ['ownerless', sighting('private', null, { projectId: null }), ['owner', 'ownReader', 'member', 'reader', 'admin']],
  ];

  it.each(table)('a %s one', (_name, seen, who) => {
    const visible = (Object.keys(ACTORS) as Who[]).filter((name) => policy.isVisible(ACTORS[name], seen));

    expect(visible).toEqual(who);
  });
});

describe('doing something with an image', () => {
  const table: [string, (actor: Actor, seen: Sighting) => void, Sighting, Partial<Record<Who, string>>][] = [
    [
      'changing a private one',
      (actor, seen) => policy.checkModify(actor, seen, 'change'),
      sighting('private'),
      { owner: 'yes', ownReader: 'forbidden', member: 'not_found', admin: 'yes', nobody: 'not_found' },
    ],
    [
      'changing a public one',
      (actor, seen) => policy.checkModify(actor, seen, 'change'),
      sighting('public'),
      { owner: 'yes', ownReader: 'forbidden', member: 'forbidden', admin: 'yes' },
    ],
    [
      'changing one that is shared with the other',
      (actor, seen) => policy.checkModify(actor, seen, 'change'),
      sighting('shared', 'accepted'),
      { owner: 'yes', member: 'forbidden', reader: 'forbidden', admin: 'yes' },
    ],
    [
      'deleting one',
      (actor, seen) => policy.checkDelete(actor, seen),
      sighting('private'),
      { owner: 'yes', ownReader: 'forbidden', member: 'not_found', admin: 'yes' },
    ],
    [
      'deleting a protected one',
      (actor, seen) => policy.checkDelete(actor, seen),
      sighting('private', null, { protected: true }),
      { owner: 'forbidden', member: 'not_found', admin: 'forbidden' },
    ],
    [
      'downloading a public one',
      (actor, seen) => policy.checkDownload(actor, seen),
      sighting('public'),
      { owner: 'yes', ownReader: 'forbidden', member: 'yes', reader: 'forbidden', admin: 'yes', nobody: 'not_found' },
    ],
    [
      'downloading one that is shared with the other',
      (actor, seen) => policy.checkDownload(actor, seen),
      sighting('shared', 'pending'),
      { owner: 'yes', member: 'yes', reader: 'forbidden', admin: 'yes' },
    ],
    [
      'downloading a deactivated one',
      (actor, seen) => policy.checkDownload(actor, seen),
      sighting('public', null, { status: 'deactivated' }),
      { owner: 'forbidden', member: 'forbidden', admin: 'yes' },
    ],
    [
      'deciding on the membership of the other',
      (actor, seen) => policy.checkDecideMembership(actor, seen.image, 'other'),
      sighting('shared', 'pending'),
      { owner: 'forbidden', member: 'yes', reader: 'forbidden', admin: 'yes' },
    ],
  ];

  it.each(table)('%s', (_name, check, seen, expected) => {
    const found = Object.fromEntries(
      (Object.keys(expected) as Who[]).map((who) => [who, outcome(() => check(ACTORS[who], seen))]),
    );

    expect(found).toEqual(expected);
  });
});

describe('making an image', () => {
  const make =
    (owner: string | null, visibility: Visibility) =>
    (who: Who): string =>
      outcome(() => policy.checkCreate(ACTORS[who], owner, visibility));

  it('takes a member of the project that is to own it, and an administrator for others', () => {
    expect((['owner', 'ownReader', 'member', 'admin', 'nobody'] as const).map(make('owning', 'shared'))).toEqual([
      'yes',
      'forbidden',
      'forbidden',
      'yes',
      'forbidden',
    ]);
    expect((['owner', 'admin'] as const).map(make(null, 'private'))).toEqual(['forbidden', 'yes']);
  });

  it('leaves publishing to administrators, and the community to everybody', () => {
    expect((['owner', 'admin'] as const).map(make('owning', 'public'))).toEqual(['forbidden', 'yes']);
    expect((['owner', 'admin'] as const).map(make('owning', 'community'))).toEqual(['yes', 'yes']);
  });

  it('tells details of stores to administrators and services', () => {
    const told = (Object.keys(ACTORS) as Who[]).filter(
      (who) => outcome(() => policy.checkStoreDetails(ACTORS[who])) === 'yes',
    );

    expect(told).toEqual(['admin', 'service']);
  });
});
