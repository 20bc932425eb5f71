import {
  Controller,
  Delete,
  Get,
  Head,
  HttpCode,
  Post,
  Query as QueryString,
  Req,
  Res,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  DirectoryService,
  type Session,
  SignInService,
  TokensService,
  UsersService,
} from '../../../modules/identity/index.js';
import { NotPermittedError } from '../../../modules/tenancy/index.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, subjectTokenOf, VaryByToken } from '../identity.guard.js';
import { presentCollection, presentDomain, presentProject, presentToken, whole } from '../presenters.js';
import { flagOf, type Query } from '../query.js';
import { ServiceCatalogue } from '../catalogue/service-catalogue.js';
import { toSignIn } from './sign-in.request.js';
import { SIGN_IN } from '../request-documents.js';
import { Refuses, Takes } from '../../shared/documents/documented.js';

@Controller('identity/v3/auth')
@UseInterceptors(VaryByToken)
export class IdentityAuthController {
  constructor(
    private readonly face: IdentityFace,
    private readonly signIns: SignInService,
    private readonly tokens: TokensService,
    private readonly users: UsersService,
    private readonly directory: DirectoryService,
    private readonly catalogue: ServiceCatalogue,
  ) {}

  @Post('tokens')
  @Takes(SIGN_IN)
  @Refuses(401, 403)
  async signIn(
    @Req() request: FastifyRequest,
    @QueryString() query: Query,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { token, session } = await this.signIns.signIn(toSignIn(request.body));
    void reply.header('x-subject-token', token);
    return this.present(session, request, query);
  }

  @Get('tokens')
  @UseGuards(IdentityGuard)
  async validate(
    @Caller() caller: Session,
    @Req() request: FastifyRequest,
    @QueryString() query: Query,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const session = await this.inspect(caller, request, query, reply);
    return this.present(session, request, query);
  }

  @Head('tokens')
  @UseGuards(IdentityGuard)
  async check(
    @Caller() caller: Session,
    @Req() request: FastifyRequest,
    @QueryString() query: Query,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.inspect(caller, request, query, reply);
  }

  @Delete('tokens')
  @HttpCode(204)
  @UseGuards(IdentityGuard)
  async revoke(@Caller() caller: Session, @Req() request: FastifyRequest) {
    await this.tokens.revoke(caller, subjectTokenOf(request));
  }

  @Get('catalog')
  @UseGuards(IdentityGuard)
  ownCatalogue(@Caller() caller: Session, @Req() request: FastifyRequest) {
    if (caller.scope.kind !== 'project') throw new NotPermittedError('identity:get_auth_catalog');
    return {
      catalog: this.catalogue.of(request),
      links: { self: `${this.face.base(request)}/v3/auth/catalog`, next: null, previous: null },
    };
  }

  @Get('projects')
  @UseGuards(IdentityGuard)
  async ownProjects(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const projects = await this.users.ownProjects(caller);
    return presentCollection('projects', projects, presentProject, this.face.base(request), 'auth/projects');
  }

  @Get('domains')
  @UseGuards(IdentityGuard)
  async ownDomains(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const domains = await this.directory.ownDomains(caller);
    return presentCollection('domains', whole(domains), presentDomain, this.face.base(request), 'auth/domains');
  }

  @Get('system')
  @UseGuards(IdentityGuard)
  async ownSystem(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const may = await this.directory.mayHaveSystem(caller);
    return {
      system: may ? [{ all: true }] : [],
      links: { self: `${this.face.base(request)}/v3/auth/system`, next: null, previous: null },
    };
  }

  private async inspect(caller: Session, request: FastifyRequest, query: Query, reply: FastifyReply): Promise<Session> {
    const token = subjectTokenOf(request);
    const session = await this.tokens.inspect(caller, token, flagOf(query, 'allow_expired'));
    void reply.header('x-subject-token', token);
    return session;
  }

  private present(session: Session, request: FastifyRequest, query: Query) {
    // Keystone asks only whether the parameter is there.
    const catalogue = 'nocatalog' in query ? undefined : this.catalogue.of(request);
    return { token: presentToken(session, catalogue) };
  }
}
