import { describe, expect, it } from '@jest/globals';
import { Actor, Policy, type PolicyRules, type Role } from '../tenancy/index.js';
import { Image } from './image.entity.js';
import { IMAGE_RULES } from './image-rules.js';
import { ImagesPolicy, type Sighting } from './images.policy.js';
import type { MemberStatus, Visibility } from './images.types.js';

const withRules = (rules: PolicyRules): ImagesPolicy => new ImagesPolicy(Policy.of(IMAGE_RULES, rules));
const policy = withRules({});

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

describe('a rule of the operator', () => {
  const who = (policy: ImagesPolicy, check: (policy: ImagesPolicy, actor: Actor) => void): Who[] =>
    (Object.keys(ACTORS) as Who[]).filter((name) => outcome(() => check(policy, ACTORS[name])) === 'yes');

  it('can take a right away', () => {
    const policy = withRules({ download_image: 'rule:context_is_admin', communitize_image: 'role:admin' });

    expect(who(policy, (each, actor) => each.checkDownload(actor, sighting('public')))).toEqual(['admin']);
    expect(who(policy, (each, actor) => each.checkPublish(actor, sighting('shared').image, 'community'))).toEqual([
      'admin',
    ]);
  });

  it('can give a right to more people of the project', () => {
    const policy = withRules({ modify_image: 'role:reader and project_id:%(project_id)s' });

    expect(who(policy, (each, actor) => each.checkModify(actor, sighting('public'), 'change'))).toEqual([
      'owner',
      'ownReader',
    ]);
  });

  it('can make somebody else an administrator', () => {
    const policy = withRules({ context_is_admin: 'role:admin or role:service' });

    expect(who(policy, (each, actor) => each.checkDelete(actor, sighting('private')))).toEqual([
      'owner',
      'admin',
      'service',
    ]);
  });

  it('can hide images', () => {
    const policy = withRules({ get_image: "rule:context_is_admin or not 'hush':%(secrecy)s" });
    const hushed = sighting('public', null, { properties: { secrecy: 'hush' } });

    expect(who(policy, (each, actor) => each.checkVisible(actor, hushed))).toEqual(['admin']);
    expect(policy.isListedVisible(ACTORS.owner, hushed.image)).toBe(false);
    expect([policy.hidesListed, withRules({ get_images: '@' }).hidesListed]).toEqual([true, false]);
  });

  it.each<[string, (policy: ImagesPolicy, actor: Actor) => void, readonly Who[]]>([
    ['seen', (each, actor) => each.checkVisible(actor, sighting('private')), ['owner', 'ownReader', 'admin']],
    ['read', (each, actor) => each.checkDownload(actor, sighting('shared')), ['owner', 'ownReader', 'admin']],
    ['changed', (each, actor) => each.checkModify(actor, sighting('public'), 'x'), ['owner', 'ownReader', 'admin']],
    ['overwritten', (each, actor) => each.checkUpload(actor, sighting('community')), ['owner', 'ownReader', 'admin']],
    [
      'deleted',
      (each, actor) => each.checkDelete(actor, sighting('shared', 'accepted')),
      ['owner', 'ownReader', 'admin'],
    ],
    [
      'made for another project',
      (each, actor) => each.checkCreate(actor, { projectId: 'owning', visibility: 'private' }),
      ['owner', 'ownReader', 'admin'],
    ],
    [
      'accepted for another project',
      (each, actor) => each.checkDecideMembership(actor, sighting('shared', 'pending').image, 'other'),
      ['member', 'reader', 'admin'],
    ],
  ])("that forgets the project does not let another project's image be %s", (_name, check, expected) => {
    const open = Object.fromEntries(Object.keys(IMAGE_RULES).map((rule) => [rule, '@']));
    const policy = withRules({ ...open, context_is_admin: 'role:admin' });

    expect(who(policy, check)).toEqual(expected);
  });
});

describe('making an image', () => {
  const make =
    (owner: string | null, visibility: Visibility) =>
    (who: Who): string =>
      outcome(() => policy.checkCreate(ACTORS[who], { projectId: owner, visibility }));

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
