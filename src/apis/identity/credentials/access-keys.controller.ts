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
import { AccessKeysService, type Session } from '../../../modules/identity/index.js';
import { BodyObject, InvalidMemberError } from '../body.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import { presentCollection, presentCredential, presentEc2Credential } from '../presenters.js';
import { type Query, textOf } from '../query.js';
import { TextParam } from '../text-param.js';
import { NEW_ACCESS_KEY, NEW_CREDENTIAL } from '../request-documents.js';
import { Takes } from '../../shared/documents/documented.js';

const BLOB_LENGTH = 4_096;

/** Access keys, in both forms that Keystone has for them. */
@Controller('identity/v3')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityAccessKeysController {
  constructor(
    private readonly face: IdentityFace,
    private readonly keys: AccessKeysService,
  ) {}

  @Post('users/:userId/credentials/OS-EC2')
  @Takes(NEW_ACCESS_KEY)
  async create(@Caller() caller: Session, @Param('userId', TextParam) userId: string, @Req() request: FastifyRequest) {
    const projectId = BodyObject.parse(request.body).text('tenant_id');
    const key = await this.keys.create(caller, userId, projectId);
    return { credential: presentEc2Credential(key, this.face.base(request)) };
  }

  @Get('users/:userId/credentials/OS-EC2')
  async list(@Caller() caller: Session, @Param('userId', TextParam) userId: string, @Req() request: FastifyRequest) {
    const keys = await this.keys.list(caller, userId);
    const path = `users/${userId}/credentials/OS-EC2`;
    return presentCollection('credentials', keys, presentEc2Credential, this.face.base(request), path);
  }

  @Get('users/:userId/credentials/OS-EC2/:access')
  async show(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('access', TextParam) access: string,
    @Req() request: FastifyRequest,
  ) {
    const key = await this.keys.get(caller, userId, access);
    return { credential: presentEc2Credential(key, this.face.base(request)) };
  }

  @Delete('users/:userId/credentials/OS-EC2/:access')
  @HttpCode(204)
  async remove(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Param('access', TextParam) access: string,
  ) {
    await this.keys.remove(caller, userId, access);
  }

  @Post('credentials')
  @Takes(NEW_CREDENTIAL)
  async createCredential(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const wanted = BodyObject.parse(request.body).object('credential');
    const type = wanted.text('type');
    if (type.toLowerCase() !== 'ec2') throw new InvalidMemberError('type', 'ec2; Kiln has no other credentials');
    const blob = BodyObject.parse(Buffer.from(wanted.text('blob', BLOB_LENGTH)));
    const key = await this.keys.create(
      caller,
      wanted.optionalText('user_id') ?? caller.user.id,
      wanted.text('project_id'),
      { access: blob.text('access'), secret: blob.text('secret') },
    );
    return { credential: presentCredential(key, this.face.base(request)) };
  }

  /** A member's list is its own; administrators see all, or a user's. */
  @Get('credentials')
  async listCredentials(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const userId = textOf(query, 'user_id') ?? (caller.actor.isAdmin ? null : caller.user.id);
    const found = await this.keys.list(caller, userId);
    const other = (textOf(query, 'type') ?? 'ec2') !== 'ec2';
    const keys = other ? { items: [], truncated: false } : found;
    return presentCollection('credentials', keys, presentCredential, this.face.base(request), 'credentials');
  }

  @Get('credentials/:credentialId')
  async showCredential(
    @Caller() caller: Session,
    @Param('credentialId', TextParam) id: string,
    @Req() request: FastifyRequest,
  ) {
    return { credential: presentCredential(await this.keys.getById(caller, id), this.face.base(request)) };
  }

  @Delete('credentials/:credentialId')
  @HttpCode(204)
  async removeCredential(@Caller() caller: Session, @Param('credentialId', TextParam) id: string) {
    await this.keys.removeById(caller, id);
  }
}
