import { Controller, Delete, Get, HttpCode, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../../../config/config.js';
import { ImportsService, type Job, TasksService } from '../../../modules/jobs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { tokenOf } from '../../shared/callers/credentials.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { parseJsonBody } from '../../shared/requests/json-body.js';
import { PublicAddress } from '../../shared/public-address.js';
import { WrongMethodError } from '../../shared/requests/request-errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { pageLinks, parseParameters } from '../query.js';
import { GLANCE_JOBS } from '../imports/import-request.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { toImportTask, toTaskQuery } from './task-requests.js';
import { presentTask, presentTaskStub } from './tasks.presenter.js';
import { object, Sends, Takes, text } from '../../shared/documents/documented.js';

const TASK = object(
  {
    type: { const: 'import' },
    input: object({ import_from: text, import_from_format: text, image_properties: { type: 'object' } }, [
      'import_from',
      'import_from_format',
      'image_properties',
    ]),
  },
  ['type', 'input'],
);

/** @see Image API v2, "Tasks" */
@Controller(`${GLANCE_MOUNT}/v2`)
@UseGuards(TokenGuard)
export class GlanceTasksController {
  constructor(
    private readonly tasks: TasksService,
    private readonly imports: ImportsService,
    private readonly address: PublicAddress,
    private readonly config: Config,
  ) {}

  @Get('tasks')
  @UseGuards(NoBodyGuard)
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    this.tasks.checkAccess(actor);
    const parameters = parseParameters(request.url);
    const query = toTaskQuery(parameters);
    const tasks = await this.tasks.list(actor, query);
    return {
      tasks: tasks.map(presentTaskStub),
      ...pageLinks('/v2/tasks', parameters, tasks, query.limit),
      schema: '/v2/schemas/tasks',
    };
  }

  /** Makes an image and imports it, in one; long deprecated in favour of the import of an image. */
  @Post('tasks')
  @Takes(TASK)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    this.tasks.checkAccess(actor);
    const { image, uri, input } = toImportTask(parseJsonBody(request.body), this.config.images.formats);
    const task = await this.imports.createAndStart(actor, image, {
      face: GLANCE_JOBS,
      method: 'web-download',
      uri,
      stores: {},
      legacy: input,
      token: tokenOf(request) ?? undefined,
    });
    reply.header('location', `${this.address.of(request)}${GLANCE_MOUNT}/v2/tasks/${task.id}`);
    return presentTask(task, true);
  }

  @Get('tasks/:taskId')
  @UseGuards(NoBodyGuard)
  async show(@CurrentActor() actor: Actor, @Param('taskId') taskId: string) {
    return presentTask(await this.tasks.get(actor, GLANCE_JOBS, taskId), true);
  }

  // Named among the methods of the path, and yet refused.
  @Delete('tasks/:taskId')
  @Sends({ 405: null })
  delete(@Param('taskId') taskId: string): never {
    throw new WrongMethodError('DELETE', `/v2/tasks/${taskId}`, ['GET']);
  }

  @Get('images/:imageId/tasks')
  @UseGuards(NoBodyGuard)
  async ofImage(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    const tasks = await this.tasks.ofImage(actor, GLANCE_JOBS, imageId);
    return { tasks: tasks.map((task) => presentTask(task, maySeeSource(actor, task))) };
  }
}

/** Whoever may see a public image need not see from where its owner has it. */
function maySeeSource(actor: Actor, task: Job): boolean {
  return actor.isAdmin || actor.projectId === task.projectId;
}
