import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { BasicSignInService, type Call, IdentityService, type Session } from '../../modules/identity/index.js';
import {
  ComputeResourcesService,
  type Location,
  LocationsService,
  type Organization,
  OrganizationsService,
  RowNotFoundError,
} from '../../modules/provisioning/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { callOf } from '../shared/requests/call.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { parseParameters } from '../shared/requests/query-string.js';
import { type Identified, RequestRate } from '../shared/rates/request-rate.js';
import { CredentialRequiredError } from '../shared/requests/request-errors.js';
import { readBody } from './body.js';
import { credentialsOf } from './credentials.js';
import type { ForemanRequest } from './foreman-call.js';
import { ContextNotFoundError } from './foreman.errors.js';
import type { QueryValues } from './listing/list-request.js';
import { readRowKey } from './row-key.js';

/** Whose request it is, what it brings, and which part of the deployment it looks at; in this order. */
@Injectable()
export class ForemanGuard implements CanActivate {
  constructor(
    private readonly signIns: BasicSignInService,
    private readonly identity: IdentityService,
    private readonly organizations: OrganizationsService,
    private readonly locations: LocationsService,
    private readonly resources: ComputeResourcesService,
    private readonly faces: FaceRegistry,
    private readonly rate: RequestRate,
  ) {}

  /**
   * @throws UnauthenticatedError
   * @throws RateLimitedError
   * @throws UnsupportedMediaTypeError, UnparsableBodyError
   * @throws ContextNotFoundError
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ForemanRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const call = callOf(request, this.faces);
    const { session, token } = await this.rate.identify(request, () => this.find(request, call));
    request.actor = session.actor;
    const query: QueryValues = new Map(parseParameters(request.url));
    const body = readBody(request);
    const organization = await this.organization(session, contextOf('organization_id', query, body));
    const actor = await this.actorIn(organization, session, token, call);
    request.actor = actor;
    await this.resources.ensureBuiltIn(actor);
    const location = await this.location(actor, contextOf('location_id', query, body));
    tell(reply, 'foreman_current_organization', organization);
    tell(reply, 'foreman_current_location', location);
    request.foreman = { session, actor, within: { locationId: location?.id ?? null }, query, body };
    return true;
  }

  private async find(request: ForemanRequest, call: Call): Promise<Identified<{ session: Session; token: string }>> {
    const credentials = credentialsOf(request);
    if (credentials === null) throw new CredentialRequiredError();
    if (credentials.kind === 'token') {
      const { token } = credentials;
      return { caller: { session: await this.identity.session(token, call), token }, credential: token };
    }
    const { login, secret } = credentials;
    const token = await this.signIns.token({ login, secret, address: request.ip }, call);
    const session = await this.identity.session(token, call);
    // Each process has another token for it.
    return { caller: { session, token }, credential: `${session.user.id}:${secret}` };
  }

  private async organization(session: Session, key: string | null): Promise<Organization | null> {
    if (key === null) return null;
    try {
      return await this.organizations.get(session, readRowKey(key));
    } catch (error) {
      throw error instanceof RowNotFoundError ? new ContextNotFoundError('Organization', key) : error;
    }
  }

  private async location(actor: Actor, key: string | null): Promise<Location | null> {
    if (key === null) return null;
    try {
      return await this.locations.get(actor, readRowKey(key));
    } catch (error) {
      throw error instanceof RowNotFoundError ? new ContextNotFoundError('Location', key) : error;
    }
  }

  private actorIn(
    organization: Organization | null,
    session: Session,
    token: string,
    call: Call,
  ): Promise<Actor> | Actor {
    if (organization === null || organization.projectId === session.actor.projectId) return session.actor;
    return this.identity.authenticateIn(token, organization.projectId, call);
  }
}

/** Of the query, else of the body. Empty: any. */
function contextOf(name: string, query: QueryValues, body: Readonly<Record<string, unknown>>): string | null {
  const value = query.get(name) ?? body[name];
  const isScalar = typeof value === 'string' || typeof value === 'number';
  return isScalar && value !== '' ? String(value) : null;
}

/** What no header can have, or not in every client's reading, is percent-encoded. */
function tell(reply: FastifyReply, header: string, found: { readonly id: number; readonly name: string } | null): void {
  if (!found) return;
  const name = found.name.replace(/[^ -~]/gu, encodeURIComponent);
  void reply.header(header, `${found.id}; ${name}`);
}
