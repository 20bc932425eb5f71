import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Actor, type Role } from '../actor.js';
import { Policy, type PolicyRules, PolicyRulesError } from './policy.js';
import type { PolicyTarget } from './policy-check.js';

const user = (...roles: Role[]): Actor =>
  Actor.user({ id: 'ann', name: 'Ann', projectId: 'red', projectName: 'Red', roles });
const ann = user('member');

const allows = (rule: string, target: PolicyTarget = {}, actor = ann): boolean =>
  Policy.of({ context_is_admin: 'role:admin', yes: '@', no: '!', rule }).allows('rule', actor, target);

function problemsOf(rules: PolicyRules, overrides: PolicyRules = {}): string[] {
  try {
    Policy.of(rules, overrides);
    return [];
  } catch (error) {
    return (error as PolicyRulesError).problems.map(({ rule, reason }) => `${rule}: ${reason}`);
  }
}

describe('a rule', () => {
  it.each<[string, string, boolean, PolicyTarget?]>([
    ['everybody when it is empty', '', true],
    ['everybody', '@', true],
    ['nobody', '!', false],
    ['a role', 'role:member', true],
    ['a role that is implied', 'role:reader', true],
    ['a role, whatever its case', 'role:MEMBER', true],
    ['a role that is not held', 'role:admin', false],
    ['a role that the target names', 'role:%(wanted)s', true, { wanted: 'member' }],
    ['the own user', 'user_id:%(user_id)s', true, { user_id: 'ann' }],
    ['the own project', 'project_id:%(project_id)s', true, { project_id: 'red' }],
    ['the own project by its old name', 'tenant:%(owner)s', true, { owner: 'red' }],
    ['another project', 'project_id:%(project_id)s', false, { project_id: 'blue' }],
    ['a project of a target without one', 'project_id:%(project_id)s', false, {}],
    ['a project that is null', 'project_id:%(project_id)s', false, { project_id: null }],
    ['a fixed user', 'user_id:ann', true],
    ['text around an attribute', 'user_id:%(a)sn%(b)s', true, { a: 'a', b: 'n' }],
    ['text around one that is missing', 'user_id:an%(b)s', false, {}],
    ['a literal', "'public':%(visibility)s", true, { visibility: 'public' }],
    ['a literal in double quotes', '"public":%(visibility)s', true, { visibility: 'public' }],
    ['another literal', "'public':%(visibility)s", false, { visibility: 'private' }],
    ['a literal with blanks and brackets', "'a (b) c':%(name)s", true, { name: 'a (b) c' }],
    ['a truth', 'True:%(protected)s', true, { protected: true }],
    ['nothing', 'None:%(owner)s', true, { owner: null }],
    ['a number', '7:%(min_disk)s', true, { min_disk: 7 }],
    ['what every object has', "'x':%(constructor)s", false, {}],
    ['another rule', 'rule:yes', true],
    ['an administrator', 'is_admin:True', false],
    ['no administrator', 'is_admin:False', true],
    ['and', 'role:member and rule:no', false],
    ['or', 'rule:no or role:member', true],
    ['not', 'not rule:no', true],
    ['not twice', 'not not rule:yes', true],
    ['or behind and', 'rule:no and rule:no or rule:yes', true],
    ['and behind or', 'rule:yes or rule:no and rule:no', true],
    ['brackets', '(rule:yes or rule:no) and rule:no', false],
    ['words of any case', 'rule:no OR NOT(rule:no)', true],
    ['brackets without blanks', '((role:member)and(not(rule:no)))', true],
    ['a line break', 'role:member\n  and\n  rule:yes', true],
  ])('can ask for %s', (_name, rule, expected, ...[target]) => {
    expect(allows(rule, target)).toBe(expected);
  });

  it.each([
    ['role:member and', 'a check is missing', 16],
    ['and role:member', "'and' instead of a check", 1],
    ['role:member role:reader', "'role:reader' is not expected here", 13],
    ['(role:member', 'never closed', 1],
    ['role:member)', "')' is not expected", 12],
    ['()', "')' instead of a check", 2],
    ['member', 'not of the form kind:value', 1],
    ['role:', 'not of the form kind:value', 1],
    [':x', 'not of the form kind:value', 1],
    ["'public'", 'not of the form kind:value', 1],
    ["'public:%(visibility)s", 'never closed', 1],
    ['role:member and colour:red', "'colour' is nothing that a rule can ask for", 17],
    ['not system_scope:all', "'system_scope' is nothing", 5],
    ['http://policy.example.org/%(id)s', 'another service', 1],
    ['is_admin:maybe', 'True or False', 1],
    ['project_id:%(project_id', "'(' is not expected here", 13],
    ['project_id:x%(', "'(' is not expected here", 14],
    ['rule:missing', "there is no rule 'missing'", 1],
    ['role:reader and rule:missing', "there is no rule 'missing'", 17],
  ])('that reads %j is told where it is wrong', (rule, reason, at) => {
    const [problem = ''] = problemsOf({ rule });

    expect(problem).toMatch(new RegExp(reason.replaceAll(/[()]/g, '\\$&')));
    expect(problem).toContain(`at character ${at}:`);
  });

  it('is refused when it is longer than anybody writes one', () => {
    expect(problemsOf({ rule: '('.repeat(5_000) })).toEqual([expect.stringContaining('at most 4096 characters')]);
  });

  it('is read or refused, whatever it is', () => {
    const word = fc.constantFrom(
      'and',
      'or',
      'not',
      '(',
      ')',
      'role:member',
      'rule:yes',
      "'",
      '%(',
      ')s',
      ':',
      '@',
      '!',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 5 }))), (words) => {
        try {
          expect(typeof allows(words.join(' '))).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(PolicyRulesError);
        }
      }),
    );
  });
});

describe('rules together', () => {
  const DEFAULTS = { default: '', context_is_admin: 'role:admin', see: 'rule:default', change: 'is_admin:True' };

  it('say what the operator says before what they say by default', () => {
    const policy = Policy.of(DEFAULTS, { see: '!' });

    expect(policy.allows('see', ann)).toBe(false);
    expect(policy.allows('change', user('admin'))).toBe(true);
  });

  it('know which of them say something else, also by another one', () => {
    const policy = Policy.of(DEFAULTS, { default: 'role:member', change: 'is_admin:True' });

    expect(['default', 'see', 'change'].map((rule) => policy.isChanged(rule))).toEqual([true, true, false]);
  });

  it('may refer to names that the operator makes up', () => {
    const policy = Policy.of(DEFAULTS, { see: 'rule:friends', friends: 'user_id:ann' });

    expect(policy.allows('see', ann)).toBe(true);
  });

  it('are refused with every problem at once', () => {
    const problems = problemsOf(DEFAULTS, {
      see: 'rule:loop',
      loop: 'rule:change',
      change: 'rule:loop',
      seee: '!',
      context_is_admin: 'role',
    });

    expect(problems).toEqual([
      "context_is_admin: at character 1: 'role' is not of the form kind:value",
      'loop: it refers to itself: loop -> change -> loop',
      'seee: there is no such rule, and no other rule refers to it',
    ]);
  });

  it('let an administrator rule that refers to itself through is_admin not pass', () => {
    expect(problemsOf({ context_is_admin: 'is_admin:True' })).toEqual([
      'context_is_admin: it refers to itself: context_is_admin -> context_is_admin',
    ]);
  });

  it('do not bind Kiln itself', () => {
    expect(Policy.of({ see: '!' }).allows('see', Actor.system('sweep'))).toBe(true);
  });
});
