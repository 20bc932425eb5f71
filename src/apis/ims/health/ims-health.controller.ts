import { Controller, Get, HttpCode } from '@nestjs/common';
import { UnavailableError } from '../../../common/errors.js';
import { HealthChecks } from '../../../common/health.js';
import { PRODUCT_VERSION } from '../../../common/product.js';

/** What this API depends on does not answer; the reference says 500 here. */
class NotReadyError extends UnavailableError {
  override readonly code = 'ims.not_ready';
  constructor(names: readonly string[]) {
    super(`Not ready: ${names.join(', ')}`, { names });
  }
}

/** Asked by anybody, without credentials. */
@Controller('apis/ims')
export class ImsHealthController {
  constructor(private readonly checks: HealthChecks) {}

  @Get('healthz/live')
  @HttpCode(200)
  live() {
    return {};
  }

  @Get('healthz/ready')
  @HttpCode(200)
  async ready() {
    const { ready, required } = await this.checks.report();
    if (!ready) throw new NotReadyError(required.filter((check) => !check.usable).map((check) => check.name));
    return {};
  }

  // The description says a JSON text; the service answers an object, and clients print that.
  @Get('version')
  version() {
    return { version: PRODUCT_VERSION };
  }
}
