import { describe, expect, it } from '@jest/globals';
import { readBootstrapFile } from './bootstrap-file.js';

const ID = '5a7b0b0ea1d44c0f8a6a5a0a1c1d1e01';

describe('readBootstrapFile', () => {
  it('reads projects, limits, users and roles', () => {
    const { file, problems } = readBootstrapFile(`
projects:
  - {name: alpha, id: ${ID}}
  - {name: beta, limits: {images: 1000, storage_bytes: 10737418240, running_jobs: 2}}
users:
  - {name: root, password: s3cret-root, roles: [{project: alpha, role: admin}]}
  - {name: alice, password: s3cret-alice, default_project: ${ID}, roles: [{project: beta, role: reader}]}
`);

    expect(problems).toEqual([]);
    expect(file.projects).toMatchObject([
      { name: 'alpha', id: ID },
      { name: 'beta', limits: { images: 1000, storage_bytes: 10737418240, running_jobs: 2 } },
    ]);
    expect(file.users).toMatchObject([
      { name: 'root', password: 's3cret-root', roles: [{ project: 'alpha', role: 'admin' }] },
      { name: 'alice', defaultProject: ID, roles: [{ project: 'beta', role: 'reader' }] },
    ]);
    expect(file.outsideProjects).toEqual([]);
  });

  it.each(['', '# nothing yet\n', 'projects:\nusers:\n', '{}'])('takes a file that declares nothing: %j', (text) => {
    expect(readBootstrapFile(text)).toEqual({ file: { projects: [], users: [], outsideProjects: [] }, problems: [] });
  });

  it.each([
    ['an unknown key at the top', 'buckets: {}', 'buckets: unknown key; known are projects, users'],
    [
      'an unknown key of a user',
      'users: [{name: a, pasword: x}]',
      'users[0].pasword: unknown key; known are name, id, password, email, description, enabled, default_project, roles',
    ],
    [
      'an unknown key of a role',
      'users: [{name: a, roles: [{project: p, role: member, until: never}]}]',
      'users[0].roles[0].until: unknown key; known are project, role',
    ],
    ['an unknown limit', 'projects: [{name: a, limits: {vcpus: 4}}]', 'projects[0].limits.vcpus: unknown key'],
    ['a negative limit', 'projects: [{name: a, limits: {images: -1}}]', 'projects[0].limits.images: must be a whole'],
    ['a limit that is text', 'projects: [{name: a, limits: {images: "9"}}]', 'projects[0].limits.images: must be a wh'],
    ['a missing name', 'projects: [{description: x}]', 'projects[0]: the key name is missing'],
    ['an empty name', 'projects: [{name: ""}]', 'projects[0].name: must not be empty'],
    ['a name that is too long', `projects: [{name: ${'x'.repeat(65)}}]`, 'projects[0].name: may have at most 64'],
    ['an id that no face can show', 'projects: [{name: a, id: A1}]', 'projects[0].id: must be 32 lower-case hex'],
    [
      'an unknown role',
      'users: [{name: a, roles: [{project: p, role: boss}]}]',
      'users[0].roles[0].role: "boss" is not',
    ],
    ['a password that YAML reads as a number', 'users: [{name: a, password: 1234}]', 'users[0].password: must be text'],
    ['a flag that is text', 'users: [{name: a, enabled: "no"}]', 'users[0].enabled: must be true or false'],
    ['a list that is none', 'users: {a: b}', 'users: must be a list'],
    ['a user that is a text', 'users: [alice]', 'users[0]: must be a map'],
    ['a file that is a list', '- name: a', 'must be a map with the keys projects, users'],
    ['a project twice', 'projects: [{name: a}, {name: a}]', 'projects[1].name: "a" is also that of projects[0]'],
    ['a user twice', 'users: [{name: a}, {name: b}, {name: a}]', 'users[2].name: "a" is also that of users[0]'],
    ['an id twice', `projects: [{name: a, id: ${ID}}, {name: b, id: ${ID}}]`, `projects[1].id: "${ID}" is also that`],
    ['a key twice', 'users: []\nusers: []', 'line 2: '],
    ['what is not YAML', 'users: [', 'line 1: '],
    ['what is said in no schema', 'users: !!js/function x', 'line 1: '],
  ])('names %s', (_what, text, problem) => {
    expect(readBootstrapFile(text).problems).toEqual([expect.stringContaining(problem)]);
  });

  it('tells all problems at once', () => {
    const { problems } = readBootstrapFile(`
projects: [{name: a, colour: red}, {limits: {images: 1.5}}]
users: [{name: b, password: "", roles: [{role: member}, {project: a, role: x}]}]
`);

    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'projects[0].colour',
      'projects[1]',
      'projects[1].limits.images',
      'users[0].password',
      'users[0].roles[0]',
      'users[0].roles[1].role',
    ]);
  });

  it('survives aliases that grow without bound', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [at, name] of [...'bcdefghij'].entries()) {
      const before = 'abcdefghij'[at]!;
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(',')}]`);
    }

    expect(readBootstrapFile(bomb.join('\n')).problems).toHaveLength(1);
  });

  it('tells which projects it names without declaring them', () => {
    const { file } = readBootstrapFile(
      'users: [{name: a, default_project: lab, roles: [{project: lab, role: boss}]}]\n',
    );

    expect(file.outsideProjects).toEqual([
      { path: 'users[0].default_project', project: 'lab' },
      { path: 'users[0].roles[0].project', project: 'lab' },
    ]);
  });
});
