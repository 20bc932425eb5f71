import { Controller, Delete, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type ImageMember, ImageMembersService, MEMBER_STATUSES } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { presentTime } from '../../shared/wire-time.js';
import { isJsonObject, parseJsonBody } from '../../shared/requests/json-body.js';
import { RequestInvalidError } from '../glance.errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { checkAttribute } from '../images/image-attributes.js';
import { object, Takes } from '../../shared/documents/documented.js';

/** @see Image API v2, "Sharing" */
@Controller(`${GLANCE_MOUNT}/v2/images/:imageId/members`)
@UseGuards(TokenGuard)
export class GlanceMembersController {
  constructor(private readonly members: ImageMembersService) {}

  @Get()
  @UseGuards(NoBodyGuard)
  async list(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    const members = await this.members.list(actor, imageId);
    return { members: members.map(presentMember), schema: '/v2/schemas/members' };
  }

  // 200, not 201, in the reference.
  @Post()
  @Takes(object({ member: { type: 'string', minLength: 1, maxLength: 255 } }, ['member']))
  @HttpCode(200)
  async add(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    return presentMember(await this.members.add(actor, imageId, readMember(parseJsonBody(request.body))));
  }

  @Get(':member')
  @UseGuards(NoBodyGuard)
  async show(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Param('member') member: string) {
    checkAttribute('owner', member);
    return presentMember(await this.members.get(actor, imageId, member));
  }

  @Put(':member')
  @Takes(object({ status: { type: 'string', enum: MEMBER_STATUSES } }, ['status']))
  async setStatus(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('member') member: string,
    @Req() request: FastifyRequest,
  ) {
    checkAttribute('owner', member);
    const status = readStatus(parseJsonBody(request.body));
    return presentMember(await this.members.setStatus(actor, imageId, member, status));
  }

  @Delete(':member')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async remove(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('member') member: string,
  ): Promise<void> {
    checkAttribute('owner', member);
    await this.members.remove(actor, imageId, member);
  }
}

function readMember(body: unknown): string {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  if (typeof body.member !== 'string' || body.member === '') {
    throw new RequestInvalidError('The body must name a member: {"member": "<project id>"}');
  }
  checkAttribute('owner', body.member);
  return body.member;
}

function readStatus(body: unknown) {
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const status = MEMBER_STATUSES.find((each) => each === body.status);
  if (!status) throw new RequestInvalidError(`The body must have a status: one of ${MEMBER_STATUSES.join(', ')}`);
  return status;
}

function presentMember(member: ImageMember) {
  return {
    member_id: member.member,
    image_id: member.imageId,
    status: member.status,
    created_at: presentTime(member.createdAt),
    updated_at: presentTime(member.updatedAt),
    schema: '/v2/schemas/member',
  };
}
