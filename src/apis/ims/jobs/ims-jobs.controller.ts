import { Readable } from 'node:stream';
import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../../../common/clock.js';
import { JobLogsService, JobsService } from '../../../modules/jobs/index.js';
import { RECIPE_ARCHS } from '../../../modules/recipes/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { readBody } from '../ims-body.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { BadParameterError } from '../ims.errors.js';
import { ImsGuard } from '../ims.guard.js';
import { ImsJobsPresenter } from './ims-jobs.presenter.js';
import { CreateJobRequest, ReportJobRequest } from './ims-jobs.requests.js';
import { parseAge } from './job-age.js';
import { lastEventId, serverSentEvents } from './job-log-stream.js';
import { IMS_JOB_STATUSES, toJobState, toReport } from './job-status.js';
import { Sends } from '../../shared/documents/documented.js';

const FACE = 'ims';
const JOB_TYPES = ['create', 'customize'] as const;
const SORT_KEYS = {
  id: 'id',
  name: 'name',
  created: 'created',
  arch: 'arch',
  status: 'state',
  job_type: 'job_type',
} as const;

@UseGuards(ImsGuard)
// There is no difference between the versions.
@Controller(['apis/ims/v3/jobs', 'apis/ims/v2/jobs', 'apis/ims/jobs'])
export class ImsJobsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly logs: JobLogsService,
    private readonly presenter: ImsJobsPresenter,
    private readonly clock: Clock,
  ) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const filter = {
      names: parameters.any('name'),
      archs: parameters.anyOf('arch', RECIPE_ARCHS),
      states: parameters.anyOf('status', IMS_JOB_STATUSES)?.map(toJobState),
      jobTypes: parameters.anyOf('job_type', JOB_TYPES),
      artifactIds: parameters.anyId('artifact_id'),
      publicKeyIds: parameters.anyId('public_key_id'),
      resultantImageIds: parameters.anyId('resultant_image_id'),
      created: parameters.times('created'),
    };
    const query = { face: FACE, projectId: parameters.owner(actor), filter, sort, marker };
    if (limit === undefined) return sendList(reply, this.jobs.stream(actor, query), this.presenter.present);
    const read = (wanted: number) => this.jobs.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, this.presenter.present);
  }

  @Post()
  async create(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const body = readBody(request, CreateJobRequest);
    const job = await this.jobs.create(actor, {
      face: FACE,
      jobType: body.job_type,
      artifactId: body.artifact_id,
      publicKeyId: body.public_key_id,
      imageRootArchiveName: body.image_root_archive_name,
      kernelFileName: body.kernel_file_name || undefined,
      initrdFileName: body.initrd_file_name,
      kernelParametersFileName: body.kernel_parameters_file_name,
      enableDebug: body.enable_debug,
      buildEnvSizeGib: body.build_env_size,
      memoryGib: body.job_mem_size,
      requireDkms: body.require_dkms,
      sshContainers: body.ssh_containers?.map(({ name, jail }) => ({ name: name ?? 'customize', jail: jail ?? false })),
    });
    return this.presenter.present(job);
  }

  @Delete()
  @HttpCode(204)
  async deleteMany(@CurrentActor() actor: Actor, @Req() request: FastifyRequest): Promise<void> {
    const parameters = new ListQuery(request);
    await this.jobs.deleteMany(actor, {
      face: FACE,
      states: parameters
        .any('status')
        ?.flatMap((text) => text.split(','))
        .map((text) => toJobState(readStatus(text))),
      jobTypes: parameters.anyOf('job_type', JOB_TYPES),
      createdBefore: this.createdBefore(parameters),
    });
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return this.presenter.present(await this.jobs.get(actor, FACE, id));
  }

  @Patch(':id')
  async report(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest) {
    await this.jobs.getForReport(actor, FACE, id);
    const { status, resultant_image_id } = readBody(request, ReportJobRequest);
    const job = await this.jobs.report(actor, FACE, id, {
      ...(status ? toReport(status) : {}),
      resultantImageId: resultant_image_id,
    });
    return this.presenter.present(job);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.jobs.delete(actor, FACE, id);
  }

  @Post(':id/cancel')
  @HttpCode(202)
  async cancel(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return this.presenter.present(await this.jobs.cancel(actor, FACE, id));
  }

  @Get(':id/log')
  @Sends({ 200: 'text/*' })
  async log(
    @CurrentActor() actor: Actor,
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    if (request.headers.accept?.includes('text/event-stream')) return this.follow(actor, id, request, reply);
    const pieces = await this.logs.read(actor, FACE, id);
    return reply.header('content-type', 'text/plain; charset=utf-8').send(Readable.from(pieces, { objectMode: false }));
  }

  private async follow(actor: Actor, id: string, request: FastifyRequest, reply: FastifyReply) {
    const left = new AbortController();
    reply.raw.on('close', () => left.abort());
    const from = lastEventId(request.headers['last-event-id']);
    const events = await this.logs.follow(actor, FACE, id, from, left.signal);
    return reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(Readable.from(serverSentEvents(events), { objectMode: false }));
  }

  private createdBefore(parameters: ListQuery): Date | undefined {
    const ages = parameters.any('age');
    if (ages === undefined) return undefined;
    if (ages.length > 1) throw new BadParameterError('age', 'must be given once');
    const before = this.clock.now().getTime() - parseAge(ages[0]!);
    // Nothing is older than the epoch, and neither is there a date far before it.
    return new Date(Math.max(before, 0));
  }
}

/** The reference compares without regard to case here, but not elsewhere. */
function readStatus(text: string) {
  const status = IMS_JOB_STATUSES.find((known) => known === text.toLowerCase());
  if (status === undefined) throw new BadParameterError('status', `must be one of ${IMS_JOB_STATUSES.join(', ')}`);
  return status;
}
