import { Controller, Delete, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { Config } from '../../../config/config.js';
import {
  type ApplicationCredential,
  ApplicationCredentialsService,
  type Session,
  UserNotFoundError,
} from '../../../modules/identity/index.js';
import { FaultList } from '../../../modules/provisioning/index.js';
import { RouteNotFoundError } from '../../shared/requests/request-errors.js';
import { parseTime } from '../../shared/wire-time.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { ACCESS_TOKEN_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesNew } from '../apidoc/takes-attributes.js';
import { Attributes } from '../body.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ParameterInvalidError } from '../foreman.errors.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { presentTime } from '../times.js';

/**
 * What is given in the place of a password: application credentials of the caller. Where another identity service knows the
 * users, theirs are made there.
 * @see Foreman API v2, "Personal Access Tokens"
 */
@Controller(`${FOREMAN_MOUNT}/api/users/:userId/personal_access_tokens`)
@UseGuards(ForemanGuard)
export class ForemanAccessTokensController {
  constructor(
    private readonly credentials: ApplicationCredentialsService,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** Not searched and in the order of their names. */
  @Get()
  @AsksForPage()
  async list(@CurrentCall() { session, query }: ForemanCall, @Param('userId') userId: string) {
    const { items } = await this.credentials.list(session, this.self(session, userId));
    const request = readListRequest(new Map([...query].filter(([name]) => name !== 'order' && name !== 'search')), {});
    const { offset, limit } = request.query;
    const rows = items.slice(offset, offset + limit);
    return presentPage({ total: items.length, subtotal: items.length, rows }, request, (row) => this.present(row));
  }

  @Get(':id')
  async show(@CurrentCall() { session }: ForemanCall, @Param('userId') userId: string, @Param('id') id: string) {
    return this.present(await this.credentials.get(session, this.self(session, userId), id));
  }

  @Post()
  @HttpCode(201)
  @TakesNew('personal_access_token', ACCESS_TOKEN_ATTRIBUTES)
  async create(@CurrentCall() { session, actor, body }: ForemanCall, @Param('userId') userId: string) {
    const owner = this.self(session, userId);
    const wanted = new Attributes(body, 'personal_access_token');
    const name = wanted.required('name');
    checkName(name);
    const { credential, secret } = await this.credentials.create(session, owner, {
      ...(actor.projectId === null ? {} : { projectId: actor.projectId }),
      name,
      description: 'Made as a personal access token',
      unrestricted: false,
      expiresAt: readExpiry(wanted.text('expires_at')),
      accessRules: [],
    });
    return { ...this.present(credential), token_value: `${credential.id}.${secret}` };
  }

  @Delete(':id')
  async remove(@CurrentCall() { session }: ForemanCall, @Param('userId') userId: string, @Param('id') id: string) {
    const found = await this.credentials.get(session, this.self(session, userId), id);
    await this.credentials.remove(session, session.user.id, id);
    return { ...this.present(found), 'revoked?': true, 'active?': false };
  }

  /** Nobody has another one's tokens. @throws RouteNotFoundError, UserNotFoundError */
  private self({ user }: Session, userId: string): string {
    if (this.config.keystone) throw new RouteNotFoundError(`/api/users/${userId}/personal_access_tokens`);
    if (userId !== user.id && userId !== user.name) throw new UserNotFoundError(userId);
    return user.id;
  }

  private present({ id, name, userId, expiresAt }: ApplicationCredential) {
    return {
      id,
      name,
      user_id: userId,
      expires_at: expiresAt && presentTime(expiresAt),
      'revoked?': false,
      'active?': expiresAt === null || expiresAt > this.clock.now(),
    };
  }
}

/** @throws RecordInvalidError as any other name of this face */
function checkName(name: string): void {
  const faults = new FaultList();
  faults.required('name', name);
  faults.check('personal_access_token', null);
}

function readExpiry(text: string | null | undefined): Date | null {
  if (text === undefined || text === null || text === '') return null;
  const time = parseTime(text.replace(/ UTC$/, 'Z'));
  if (time === null) throw new ParameterInvalidError('expires_at', text, 'Must be a time.');
  return new Date(time);
}
