import { Controller, Get, Param, Query as QueryString, Req, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  type BoundedList,
  DirectoryService,
  expandRoles,
  findRoleById,
  type RoleAssignment,
  type Session,
  UsersService,
} from '../../../modules/identity/index.js';
import type { Role } from '../../../modules/tenancy/index.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import {
  presentAssignment,
  presentCollection,
  presentDomain,
  presentProject,
  presentRole,
  whole,
} from '../presenters.js';
import { flagOf, type Query, textOf } from '../query.js';
import { TextParam } from '../text-param.js';

/** Assignments that Kiln does not have: what asks for one of these matches nothing. */
const NEVER_ASSIGNED = ['group.id', 'scope.domain.id', 'scope.system', 'scope.OS-INHERIT:inherited_to'];

const NOTHING: BoundedList<never> = { items: [], truncated: false };

/** Projects, domains and roles: what clients look up to turn names into ids. */
@Controller('identity/v3')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityDirectoryController {
  constructor(
    private readonly face: IdentityFace,
    private readonly directory: DirectoryService,
    private readonly users: UsersService,
  ) {}

  @Get('projects/:projectId')
  async project(
    @Caller() caller: Session,
    @Param('projectId', TextParam) projectId: string,
    @Req() request: FastifyRequest,
  ) {
    const project = await this.directory.project(caller, projectId);
    return { project: presentProject(project, this.face.base(request)) };
  }

  @Get('projects')
  async projects(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const domainId = textOf(query, 'domain_id');
    const found = await this.directory.listProjects(caller, {
      name: textOf(query, 'name'),
      domainId,
      enabled: flagOf(query, 'enabled'),
      ids: await this.projectIdsOf(caller, textOf(query, 'user_id')),
    });
    const parentId = textOf(query, 'parent_id');
    const nested = parentId !== undefined && found.items.some((project) => project.domainId !== parentId);
    // No project is a domain, and none has another project for a parent.
    const matching = flagOf(query, 'is_domain') || nested ? NOTHING : found;
    return presentCollection('projects', matching, presentProject, this.face.base(request), 'projects');
  }

  @Get('domains/:domainId')
  domain(@Caller() caller: Session, @Param('domainId', TextParam) domainId: string, @Req() request: FastifyRequest) {
    return { domain: presentDomain(this.directory.domain(caller, domainId), this.face.base(request)) };
  }

  @Get('domains')
  domains(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const found = this.directory.listDomains(caller, textOf(query, 'name'));
    const matching = flagOf(query, 'enabled') === false ? [] : found;
    return presentCollection('domains', whole(matching), presentDomain, this.face.base(request), 'domains');
  }

  @Get('roles/:roleId')
  role(@Caller() caller: Session, @Param('roleId', TextParam) roleId: string, @Req() request: FastifyRequest) {
    return { role: presentRole(this.directory.role(caller, roleId), this.face.base(request)) };
  }

  @Get('roles')
  roles(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const found = this.directory.listRoles(caller, textOf(query, 'name'));
    // Every role is one of the deployment, none of a domain.
    const matching = textOf(query, 'domain_id') ? [] : found;
    return presentCollection('roles', whole(matching), presentRole, this.face.base(request), 'roles');
  }

  @Get('role_assignments')
  async assignments(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const effective = flagOf(query, 'effective') ?? false;
    const roleId = textOf(query, 'role.id');
    const role = roleId === undefined ? undefined : findRoleById(roleId)?.name;
    const found = await this.users.assignments(caller, {
      userId: textOf(query, 'user.id'),
      projectId: textOf(query, 'scope.project.id'),
      // Roles that others imply are found after these have been added.
      role: effective ? undefined : role,
    });
    const impossible = NEVER_ASSIGNED.some((name) => textOf(query, name)) || (roleId !== undefined && !role);
    const rows = impossible ? [] : effective ? withImpliedRoles(found.items) : found.items.map(asStored);
    const items = rows.filter(({ name }) => role === undefined || name === role);
    const withNames = flagOf(query, 'include_names') ?? false;
    return presentCollection(
      'role_assignments',
      { items, truncated: found.truncated },
      ({ one, name }, base) => presentAssignment(one, name, withNames, base),
      this.face.base(request),
      'role_assignments',
    );
  }

  private async projectIdsOf(caller: Session, userId: string | undefined): Promise<string[] | undefined> {
    if (userId === undefined || !caller.actor.isAdmin) return undefined;
    return (await this.users.assignments(caller, { userId })).items.map(({ projectId }) => projectId);
  }
}

/** An assignment, and the role that it is shown with. */
interface ShownAssignment {
  readonly one: RoleAssignment;
  readonly name: Role;
}

function asStored(one: RoleAssignment): ShownAssignment {
  return { one, name: one.role };
}

/** Each role once for a user and a project, however many others imply it. */
function withImpliedRoles(assignments: readonly RoleAssignment[]): ShownAssignment[] {
  const shown = new Map<string, ShownAssignment>();
  for (const one of assignments) {
    for (const name of expandRoles([one.role])) {
      const key = `${one.userId} ${one.projectId} ${name}`;
      if (name === one.role || !shown.has(key)) shown.set(key, { one, name });
    }
  }
  return [...shown.values()];
}
