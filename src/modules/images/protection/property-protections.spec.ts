import { describe, expect, it } from '@jest/globals';
import { Actor, Policy, type Role } from '../../tenancy/index.js';
import { Image } from '../image.entity.js';
import { IMAGE_RULES } from '../image-rules.js';
import { PropertyProtections } from './property-protections.js';
import { type PropertyRuleFormat, readPropertyRules } from './property-rules.js';

const user = (...roles: Role[]): Actor =>
  Actor.user({ id: 'u', name: 'u', projectId: 'red', projectName: 'red', roles });
const [admin, member] = [user('admin'), user('member')];

const FILE = `
# billing is not the tenants' business
[^x_billing_]
create = admin
read = admin,service
update : admin
delete = !

[x_owner$]
create = @
read = @
update = member
delete = admin

[.*]
create = member
read = reader
update = member
delete = member
`;

function protections(text = FILE, format: PropertyRuleFormat = 'roles', rules = {}): PropertyProtections {
  const read = readPropertyRules(text, format);
  expect(read.problems).toEqual([]);
  return new PropertyProtections(read.rules, format, Policy.of(IMAGE_RULES, rules));
}

const PROPERTIES = { x_billing_code: '7', my_x_owner: 'me', colour: 'red', kiln_job_id: 'j', os_glance_stage: 's' };
const image = Object.assign(new Image(), { id: 'i', properties: PROPERTIES, architecture: 'x86_64' });

function outcome(work: () => unknown): string {
  try {
    work();
    return 'yes';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a protected property', () => {
  it('is shown to those who may read it, and is as if it were not there for others', () => {
    const { x_billing_code: _hidden, ...others } = PROPERTIES;

    expect(protections().shownTo(admin, image).properties).toEqual(PROPERTIES);
    expect(protections().shownTo(member, image).properties).toEqual(others);
    expect(image.properties).toEqual(PROPERTIES);
  });

  it('is found by no filter of who may not read it', () => {
    const filter = { properties: { colour: 'red', x_billing_code: '7' } };

    expect([admin, member].map((actor) => protections().mayFilter(actor, filter))).toEqual([true, false]);
    expect(protections().mayFilter(member, { properties: { colour: 'red' } })).toBe(true);
    expect(protections('[architecture]\nread = admin\n').mayFilter(member, { architectures: ['x86_64'] })).toBe(false);
  });

  it.each<[string, Actor, Record<string, unknown>, string]>([
    ['created by who may', admin, { setProperties: { x_billing_new: '1' } }, 'yes'],
    ['created by who may not', member, { setProperties: { x_billing_new: '1' } }, 'images.property_protected'],
    ['changed unseen', member, { setProperties: { x_billing_code: '8' } }, 'images.property_protected'],
    ['changed by who may', member, { setProperties: { my_x_owner: 'you' } }, 'yes'],
    ['removed by who may only change it', member, { removeProperties: ['my_x_owner'] }, 'images.property_protected'],
    ['removed by nobody', admin, { removeProperties: ['x_billing_code'] }, 'images.property_protected'],
    ['left alone', member, { setProperties: { colour: 'blue' } }, 'yes'],
  ])('is %s', (_name, actor, change, expected) => {
    expect(outcome(() => protections().checkChange(actor, PROPERTIES, change))).toBe(expected);
  });

  it('outlives a removal by who cannot see it', () => {
    const change = protections().checkChange(member, PROPERTIES, { removeProperties: ['x_billing_code', 'colour'] });

    expect(change.removeProperties).toEqual(['colour']);
  });

  it('cannot be set at creation by who may not', () => {
    expect(outcome(() => protections().checkCreate(member, { colour: 'red' }))).toBe('yes');
    expect(outcome(() => protections().checkCreate(member, { x_billing_code: '1' }))).toBe('images.property_protected');
  });

  it('is kept from everybody when no rule matches its name', () => {
    expect(protections('[^a$]\nread = @\n').shownTo(admin, image).properties).toEqual({
      kiln_job_id: 'j',
      os_glance_stage: 's',
    });
  });

  it('may be kept by policy rules', () => {
    const kept = protections('[colour]\nread = rule_of_ann\n[.*]\nread = @\n', 'policies', {
      get_tasks: 'rule:rule_of_ann',
      rule_of_ann: 'user_id:ann',
    });

    expect(Object.keys(kept.shownTo(member, image).properties)).not.toContain('colour');
  });

  it('is no matter while there are no rules, nor to Kiln itself', () => {
    expect(protections('').shownTo(member, image)).toBe(image);
    expect(protections('[.*]\nread = !\n').shownTo(Actor.system('test'), image)).toBe(image);
  });
});

describe('a protection file', () => {
  it.each([
    ['read = @', 'line 1: a section [expression] must come first'],
    ['[(]\nread = @', 'line 1: [(]: '],
    ['[(?=x)y]\nread = @', 'line 1: [(?=x)y]: '],
    ['[a]\n[a]', 'line 2: [a] stands here for the second time'],
    ['[a]\nreed = @', 'line 2: must be one of create, read, update, delete'],
    ['[a]\nread = @\nread = !', 'line 3: read stands here for the second time'],
    ['[a]\nread = @, !', 'line 2: read: @ (everybody) and ! (nobody) exclude each other'],
  ])('%j is refused', (text, problem) => {
    expect(readPropertyRules(text, 'roles').problems).toEqual([expect.stringContaining(problem)]);
  });

  it('names one policy rule an action', () => {
    expect(readPropertyRules('[a]\nread = b, c', 'policies').problems).toEqual([expect.stringContaining('line 2')]);
  });

  it('cannot stop a process, whatever expression and name meet', () => {
    const { rules } = readPropertyRules('[^(a+)+$]\nread = @', 'roles');
    const startedAt = performance.now();

    expect(rules[0]!.matches(`${'a'.repeat(255)}!`)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});
