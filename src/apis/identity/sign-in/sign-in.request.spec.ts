import { describe, expect, it } from '@jest/globals';
import { toSignIn } from './sign-in.request.js';

const ann = { name: 'ann', domain: { id: 'default' }, password: 'p' };
const identity = { methods: ['password'], password: { user: ann } };

function read(auth: unknown) {
  return toSignIn(Buffer.from(JSON.stringify({ auth })));
}

describe('toSignIn', () => {
  it.each([
    [undefined, { kind: 'default' }],
    ['unscoped', { kind: 'unscoped' }],
    [{ unscoped: {} }, { kind: 'unscoped' }],
    [{ project: { id: 'p' } }, { kind: 'project', project: { id: 'p' } }],
    [
      { project: { name: 'blue', domain: { name: 'Default' } } },
      { kind: 'project', project: { name: 'blue', domain: { name: 'Default' } } },
    ],
    [{ domain: { id: 'default' } }, { kind: 'domain', domain: { id: 'default' } }],
    [{ system: { all: true } }, { kind: 'system' }],
  ])('reads the scope %j', (scope, expected) => {
    expect(read({ identity, scope }).scope).toEqual(expected);
  });

  it('reads every way to show who one is', () => {
    const { proofs } = read({
      identity: {
        methods: ['password', 'token'],
        password: { user: { id: 'u', password: 'p' } },
        token: { id: 't' },
      },
    });

    expect(proofs).toEqual([
      { method: 'password', user: { id: 'u' }, password: 'p' },
      { method: 'token', token: 't' },
    ]);
  });

  it.each([
    ['no identity', {}],
    ['an identity that is a text', { identity: 'x' }],
    ['no methods', { identity: { password: { user: ann } } }],
    ['an empty list of methods', { identity: { methods: [] } }],
    ['methods that are no texts', { identity: { methods: [1] } }],
    ['a method without its section', { identity: { methods: ['password'] } }],
    ['a password without a user', { identity: { methods: ['password'], password: {} } }],
    ['a user without a name', { identity: { methods: ['password'], password: { user: { password: 'p' } } } }],
    [
      'a name without a domain',
      { identity: { methods: ['password'], password: { user: { name: 'a', password: 'p' } } } },
    ],
    [
      'a password that is no text',
      { identity: { methods: ['password'], password: { user: { ...ann, password: 1 } } } },
    ],
    ['a scope that is a text', { identity, scope: 'everything' }],
    ['an empty scope', { identity, scope: {} }],
    ['two scopes', { identity, scope: { project: { id: 'p' }, system: { all: true } } }],
    ['a project without a domain', { identity, scope: { project: { name: 'p' } } }],
    ['a part of the system', { identity, scope: { system: { all: false } } }],
  ])('calls %s malformed', (_what, auth) => {
    expect(() => read(auth)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  it('tells the methods there are when it is asked for another', () => {
    expect(() => read({ identity: { methods: ['saml2'] } })).toThrow(
      expect.objectContaining({
        kind: 'unauthenticated',
        details: { methods: ['password', 'token', 'application_credential'] },
      }),
    );
  });
});
