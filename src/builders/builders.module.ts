import { Module } from '@nestjs/common';
import { Builder } from '../modules/jobs/index.js';
import { LocalBuilder } from './local/local.builder.js';

/** Gives the `Builder` port its implementation. `Config` must be provided globally. */
@Module({
  providers: [{ provide: Builder, useClass: LocalBuilder }],
  exports: [Builder],
})
export class BuildersModule {}
