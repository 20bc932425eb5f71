import {
  Controller,
  Delete,
  Get,
  Head,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Req,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  ProjectAdministrationService,
  roleRecord,
  type Session,
  UserAdministrationService,
} from '../../../modules/identity/index.js';
import { toCreateProject, toCreateUser, toRole, toUpdateProject, toUpdateUser } from './administration.requests.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import { presentCollection, presentProject, presentRole, presentUser, whole } from '../presenters.js';
import { TextParam } from '../text-param.js';
import { CHANGED_PROJECT, CHANGED_USER, NEW_PROJECT, NEW_USER } from '../request-documents.js';
import { Takes } from '../../shared/documents/documented.js';

/** What administrators do: projects, users and who may what where. */
@Controller('identity/v3')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityAdministrationController {
  constructor(
    private readonly face: IdentityFace,
    private readonly projects: ProjectAdministrationService,
    private readonly users: UserAdministrationService,
  ) {}

  @Post('projects')
  @Takes(NEW_PROJECT)
  async createProject(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const project = await this.projects.create(caller, toCreateProject(request.body));
    return { project: presentProject(project, this.face.base(request)) };
  }

  @Patch('projects/:projectId')
  @Takes(CHANGED_PROJECT)
  async updateProject(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Req() request: FastifyRequest,
  ) {
    const project = await this.projects.update(caller, projectId, toUpdateProject(request.body));
    return { project: presentProject(project, this.face.base(request)) };
  }

  @Delete('projects/:projectId')
  @HttpCode(204)
  async removeProject(@Caller() caller: Session, @Param('projectId', TextParam) projectId: string) {
    await this.projects.remove(caller, projectId);
  }

  @Post('users')
  @Takes(NEW_USER)
  async createUser(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const user = await this.users.create(caller, toCreateUser(request.body));
    return { user: presentUser(user, this.face.base(request)) };
  }

  @Patch('users/:userId')
  @Takes(CHANGED_USER)
  async updateUser(
    @Caller() caller: Session,
    @Param('userId', TextParam) userId: string,
    @Req() request: FastifyRequest,
  ) {
    const user = await this.users.update(caller, userId, toUpdateUser(request.body));
    return { user: presentUser(user, this.face.base(request)) };
  }

  @Delete('users/:userId')
  @HttpCode(204)
  async removeUser(@Caller() caller: Session, @Param('userId', TextParam) userId: string) {
    await this.users.remove(caller, userId);
  }

  @Get('projects/:projectId/users/:userId/roles')
  async roles(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Param('userId', TextParam) userId: string,
    @Req() request: FastifyRequest,
  ) {
    const roles = await this.users.rolesIn(caller, projectId, userId);
    return presentCollection(
      'roles',
      whole(roles.map(roleRecord)),
      presentRole,
      this.face.base(request),
      `projects/${projectId}/users/${userId}/roles`,
    );
  }

  @Put('projects/:projectId/users/:userId/roles/:roleId')
  @HttpCode(204)
  async addRole(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Param('userId', TextParam) userId: string,
    @Param('roleId', TextParam) roleId: string,
  ) {
    await this.users.addRole(caller, projectId, userId, toRole(roleId));
  }

  @Get('projects/:projectId/users/:userId/roles/:roleId')
  @HttpCode(204)
  async checkRole(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Param('userId', TextParam) userId: string,
    @Param('roleId', TextParam) roleId: string,
  ) {
    await this.users.checkRole(caller, projectId, userId, toRole(roleId));
  }

  @Head('projects/:projectId/users/:userId/roles/:roleId')
  @HttpCode(204)
  async hasRole(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Param('userId', TextParam) userId: string,
    @Param('roleId', TextParam) roleId: string,
  ) {
    await this.users.checkRole(caller, projectId, userId, toRole(roleId));
  }

  @Delete('projects/:projectId/users/:userId/roles/:roleId')
  @HttpCode(204)
  async removeRole(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Param('userId', TextParam) userId: string,
    @Param('roleId', TextParam) roleId: string,
  ) {
    await this.users.removeRole(caller, projectId, userId, toRole(roleId));
  }
}
