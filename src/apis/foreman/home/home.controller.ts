import { Controller, Get, UseGuards } from '@nestjs/common';
import { HealthChecks } from '../../../common/health.js';
import { Apidoc } from '../apidoc/apidoc.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { FOREMAN_VERSION } from '../foreman.face.js';
import { ForemanGuard } from '../foreman.guard.js';

/** @see Foreman API v2, "Home" */
@Controller(`${FOREMAN_MOUNT}/api`)
export class ForemanHomeController {
  constructor(
    private readonly apidoc: Apidoc,
    private readonly checks: HealthChecks,
  ) {}

  @Get()
  @UseGuards(ForemanGuard)
  links() {
    return { links: this.apidoc.links() };
  }

  @Get('status')
  @UseGuards(ForemanGuard)
  status() {
    return { result: 'ok', status: 200, version: FOREMAN_VERSION, api_version: 2 };
  }

  /** Without credentials: for whoever watches whether Foreman is there. */
  @Get('ping')
  async ping() {
    const startedAt = performance.now();
    const { ready } = await this.checks.report();
    const duration = Math.round(performance.now() - startedAt);
    return { results: { foreman: { database: { active: ready, duration_ms: String(duration) } } } };
  }
}
