import { Controller, Get, Head, HttpCode, Param, Post, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RemoteBuilds, type RemoteExecution } from '../../modules/jobs/index.js';
import { parseJsonBody } from '../shared/requests/json-body.js';
import { BuilderGuard, CurrentExecution } from './builder.guard.js';
import { object, Sends, Takes, TakesBytes, text } from '../shared/documents/documented.js';
import { announcedSize, checkRole, toReport } from './builder.requests.js';

const REPORT = object({ phase: text, percent: { type: 'number' }, shell: object({ status: text, hostKey: text }) });

@UseGuards(BuilderGuard)
@Controller('builder/jobs/:id')
export class BuilderController {
  constructor(private readonly builds: RemoteBuilds) {}

  @Get('source')
  @Sends({ 200: 'application/octet-stream' })
  async source(@CurrentExecution() execution: RemoteExecution, @Res() reply: FastifyReply): Promise<void> {
    const { file, body } = await this.builds.openSource(execution);
    await reply.header('content-type', 'application/octet-stream').header('content-length', file.sizeBytes).send(body);
  }

  // By itself Fastify would answer HEAD by reading everything that GET sends.
  @Head('source')
  async describeSource(@CurrentExecution() execution: RemoteExecution, @Res() reply: FastifyReply): Promise<void> {
    const file = await this.builds.findSource(execution);
    await reply.header('content-length', file.sizeBytes).send();
  }

  @Put('files/:role')
  @HttpCode(201)
  @TakesBytes()
  async store(
    @CurrentExecution() execution: RemoteExecution,
    @Param('role') role: string,
    @Req() request: FastifyRequest,
  ): Promise<{ fileId: string; sizeBytes: number }> {
    checkRole(role);
    const { id, sizeBytes } = await this.builds.store(execution, announcedSize(request.headers), request.raw);
    return { fileId: id, sizeBytes };
  }

  @Post('report')
  @HttpCode(204)
  @Takes(REPORT)
  async report(@CurrentExecution() execution: RemoteExecution, @Req() request: FastifyRequest): Promise<void> {
    await this.builds.report(execution, toReport(parseJsonBody(request.body)));
  }
}
