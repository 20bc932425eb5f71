import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { HealthChecks } from '../../common/health.js';
import { PRODUCT_VERSION } from '../../common/product.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Sends } from '../shared/documents/documented.js';

@Controller()
export class HealthController {
  constructor(
    private readonly checks: HealthChecks,
    private readonly metrics: Metrics,
  ) {}

  @Get('healthz/live')
  live() {
    return { status: 'alive', version: PRODUCT_VERSION };
  }

  /** 200 while everything required answers; builders that cannot be used are told, and make nothing unready. */
  @Get('healthz/ready')
  @Sends({ 200: null, 503: 'application/json' })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { ready, required, told } = await this.checks.report();
    void reply.status(ready ? 200 : 503);
    return { status: ready ? 'ready' : 'unavailable', version: PRODUCT_VERSION, checks: required, builders: told };
  }

  @Get('metrics')
  @Sends({ 200: 'text/plain' })
  async figures(@Res() reply: FastifyReply) {
    await reply.header('content-type', this.metrics.registry.contentType).send(await this.metrics.registry.metrics());
  }
}
