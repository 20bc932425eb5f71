import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Query as QueryString,
  Req,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ApplicationCredentialsService, type Session, UsersService } from '../../../modules/identity/index.js';
import { toCreateApplicationCredential } from '../credentials/application-credential.request.js';
import { BodyObject } from '../body.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import {
  presentAccessRule,
  presentApplicationCredential,
  presentCollection,
  presentProject,
  presentUser,
} from '../presenters.js';
import { flagOf, type Query, textOf } from '../query.js';
import { TextParam } from '../text-param.js';
import { NEW_APPLICATION_CREDENTIAL, NEW_PASSWORD } from '../request-documents.js';
import { Takes } from '../../shared/documents/documented.js';

/** Passwords that are too long are refused by the domain; this only bounds what is read. */
const PASSWORD_READ_LENGTH = 65_536;

@Controller('identity/v3/users')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityUsersController {
  constructor(
    private readonly face: IdentityFace,
    private readonly users: UsersService,
    private readonly credentials: ApplicationCredentialsService,
  ) {}

  @Get()
  async list(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const users = await this.users.list(caller, {
      name: textOf(query, 'name'),
      domainId: textOf(query, 'domain_id'),
      enabled: flagOf(query, 'enabled'),
    });
    return presentCollection('users', users, presentUser, this.face.base(request), 'users');
  }

  @Get(':userId')
  async show(@Caller() caller: Session, @Param('userId', TextParam) userId: string, @Req() request: FastifyRequest) {
    return { user: presentUser(await this.users.get(caller, userId), this.face.base(request)) };
  }

  @Get(':userId/projects')
  async projects(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Req() request: FastifyRequest,
  ) {
    const projects = await this.users.projectsOf(caller, userId);
    return presentCollection('projects', projects, presentProject, this.face.base(request), `users/${userId}/projects`);
  }

  @Post(':userId/password')
  @Takes(NEW_PASSWORD)
  @HttpCode(204)
  async changePassword(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Req() request: FastifyRequest,
  ) {
    const user = BodyObject.parse(request.body).object('user');
    const original = user.text('original_password', PASSWORD_READ_LENGTH);
    await this.users.changePassword(caller, userId, original, user.text('password', PASSWORD_READ_LENGTH));
  }

  @Post(':userId/application_credentials')
  @Takes(NEW_APPLICATION_CREDENTIAL)
  async createCredential(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Req() request: FastifyRequest,
  ) {
    const wanted = toCreateApplicationCredential(request.body);
    const { credential, secret } = await this.credentials.create(caller, userId, wanted);
    return { application_credential: presentApplicationCredential(credential, this.face.base(request), secret) };
  }

  @Get(':userId/application_credentials')
  async listCredentials(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @QueryString() query: Query,
    @Req() request: FastifyRequest,
  ) {
    const found = await this.credentials.list(caller, userId, textOf(query, 'name'));
    return presentCollection(
      'application_credentials',
      found,
      (credential, base) => presentApplicationCredential(credential, base),
      this.face.base(request),
      `users/${userId}/application_credentials`,
    );
  }

  @Get(':userId/application_credentials/:credentialId')
  async showCredential(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('credentialId', TextParam) credentialId: string,
    @Req() request: FastifyRequest,
  ) {
    const credential = await this.credentials.get(caller, userId, credentialId);
    return { application_credential: presentApplicationCredential(credential, this.face.base(request)) };
  }

  @Get(':userId/access_rules')
  async listRules(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @QueryString() query: Query,
    @Req() request: FastifyRequest,
  ) {
    const found = await this.credentials.listRules(caller, userId, {
      service: textOf(query, 'service'),
      method: textOf(query, 'method'),
      path: textOf(query, 'path'),
    });
    return presentCollection(
      'access_rules',
      found,
      (rule, base) => presentAccessRule(rule, userId, base),
      this.face.base(request),
      `users/${userId}/access_rules`,
    );
  }

  @Get(':userId/access_rules/:ruleId')
  async showRule(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('ruleId', TextParam) ruleId: string,
    @Req() request: FastifyRequest,
  ) {
    const rule = await this.credentials.getRule(caller, userId, ruleId);
    return { access_rule: presentAccessRule(rule, userId, this.face.base(request)) };
  }

  @Delete(':userId/access_rules/:ruleId')
  @HttpCode(204)
  async removeRule(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('ruleId', TextParam) ruleId: string,
  ) {
    await this.credentials.removeRule(caller, userId, ruleId);
  }

  @Delete(':userId/application_credentials/:credentialId')
  @HttpCode(204)
  async removeCredential(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('credentialId', TextParam) credentialId: string,
  ) {
    await this.credentials.remove(caller, userId, credentialId);
  }
}
