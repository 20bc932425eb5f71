import { object, text } from '../shared/documents/documented.js';

/** Bodies of requests as the documentation shows them. Keystone's objects are open, so none of these is closed. */

const nullableText = { type: ['string', 'null'] };
const flag = { type: ['boolean', 'null'] };
const named = { anyOf: [object({ id: text }, ['id']), object({ name: text }, ['name'])] };
const texts = { type: 'array', items: text };

const SCOPE = {
  anyOf: [
    { type: 'null' },
    { const: 'unscoped' },
    object({
      project: named,
      domain: named,
      system: object({ all: { type: 'boolean' } }),
      unscoped: { type: 'object' },
    }),
  ],
};
const ACCESS_RULE = object({ id: text, service: text, method: text, path: text });
const PROJECT = { name: text, description: nullableText, enabled: flag, domain_id: nullableText };
const USER = {
  name: text,
  password: nullableText,
  email: nullableText,
  description: nullableText,
  default_project_id: nullableText,
  enabled: flag,
};
const limitOf = (member: string) => ({
  service_id: text,
  resource_name: text,
  [member]: { type: 'integer', minimum: -1 },
});
const only = (name: string, schema: Readonly<Record<string, unknown>>) => object({ [name]: schema }, [name]);

export const SIGN_IN = only(
  'auth',
  object(
    {
      identity: object(
        {
          methods: { ...texts, minItems: 1 },
          password: object({ user: object({ id: text, name: text, domain: named, password: text }, ['password']) }),
          token: object({ id: text }, ['id']),
          application_credential: object({ id: text, name: text, secret: text }, ['secret']),
        },
        ['methods'],
      ),
      scope: SCOPE,
    },
    ['identity'],
  ),
);
export const NEW_PROJECT = only('project', object(PROJECT, ['name']));
export const CHANGED_PROJECT = only('project', object(PROJECT));
export const NEW_USER = only('user', object(USER, ['name']));
export const CHANGED_USER = only('user', object(USER));
export const NEW_PASSWORD = only(
  'user',
  object({ original_password: text, password: text }, ['original_password', 'password']),
);
export const NEW_APPLICATION_CREDENTIAL = only(
  'application_credential',
  object(
    {
      name: text,
      description: nullableText,
      secret: nullableText,
      roles: { type: ['array', 'null'], items: named },
      unrestricted: flag,
      expires_at: nullableText,
      access_rules: { type: ['array', 'null'], items: ACCESS_RULE },
    },
    ['name'],
  ),
);
export const NEW_ACCESS_KEY = only('tenant_id', text);
export const NEW_CREDENTIAL = only(
  'credential',
  object({ type: text, blob: text, project_id: text, user_id: nullableText }, ['type', 'blob', 'project_id']),
);
export const NEW_DEFAULT_LIMITS = only('registered_limits', { type: 'array', items: object(limitOf('default_limit')) });
export const CHANGED_DEFAULT_LIMIT = only(
  'registered_limit',
  object({ default_limit: { type: 'integer', minimum: -1 } }),
);
export const NEW_LIMITS = only('limits', {
  type: 'array',
  items: object({ ...limitOf('resource_limit'), project_id: text }),
});
export const CHANGED_LIMIT = only('limit', object({ resource_limit: { type: 'integer', minimum: -1 } }));
