import {
  type DomainReference,
  type NameOrId,
  PASSWORD_MAXIMUM_LENGTH,
  type Proof,
  SIGN_IN_METHODS,
  type SignIn,
  UnsupportedSignInMethodError,
  type WantedScope,
} from '../../../modules/identity/index.js';
import { BodyObject, InvalidMemberError, MalformedBodyError } from '../body.js';

/** Beyond the maximum it is wrong rather than malformed; that is for the domain to say. */
const SECRET_MAXIMUM_LENGTH = PASSWORD_MAXIMUM_LENGTH * 8;

/**
 * Reads the body of POST /v3/auth/tokens.
 *
 * @throws InvalidError the shape is wrong
 * @throws UnsupportedSignInMethodError a method that is not offered
 */
export function toSignIn(body: unknown): SignIn {
  const auth = BodyObject.parse(body).object('auth');
  const identity = auth.object('identity');
  const methods = new Set(identity.texts('methods'));
  if (methods.size === 0) throw new MalformedBodyError('at least one method', 'methods');
  const proofs = [...methods].map((method) => toProof(method, identity));
  return { proofs, scope: toScope(auth) };
}

function toProof(method: string, identity: BodyObject): Proof {
  switch (method) {
    case 'password': {
      const user = identity.object(method).object('user');
      return { method, user: toNameOrId(user, 'user'), password: user.text('password', SECRET_MAXIMUM_LENGTH) };
    }
    case 'token':
      return { method, token: identity.object(method).text('id', SECRET_MAXIMUM_LENGTH) };
    case 'application_credential': {
      const credential = identity.object(method);
      const secret = credential.text('secret', SECRET_MAXIMUM_LENGTH);
      if (credential.has('id')) return { method, credential: { id: credential.text('id') }, secret };
      const user = toNameOrId(credential.object('user'), 'user');
      return { method, credential: { name: credential.text('name'), user }, secret };
    }
    default:
      throw new UnsupportedSignInMethodError(method, SIGN_IN_METHODS);
  }
}

function toNameOrId(object: BodyObject, target: string): NameOrId {
  if (object.has('id')) return { id: object.text('id') };
  if (!object.has('name')) throw new MalformedBodyError('name or id', target);
  return { name: object.text('name'), domain: toDomain(object.object('domain')) };
}

function toDomain(object: BodyObject): DomainReference {
  if (object.has('id')) return { id: object.text('id') };
  return { name: object.text('name') };
}

function toScope(auth: BodyObject): WantedScope {
  const value = auth.get('scope');
  if (value == null) return { kind: 'default' };
  if (value === 'unscoped') return { kind: 'unscoped' };
  const scope = auth.object('scope');
  const kind = scope.oneOf('project', 'domain', 'system', 'unscoped');
  switch (kind) {
    case 'project':
      return { kind, project: toNameOrId(scope.object(kind), kind) };
    case 'domain':
      return { kind, domain: toDomain(scope.object(kind)) };
    case 'system':
      if (!scope.object(kind).flag('all')) throw new InvalidMemberError('system', '{"all": true}');
      return { kind };
    case 'unscoped':
      return { kind };
  }
}
