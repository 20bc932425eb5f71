import { Module } from '@nestjs/common';
import { Builder, ImageConverter } from '../modules/jobs/index.js';
import { LocalConverter } from './local/local-converter.js';
import { LocalBuilder } from './local/local.builder.js';

/** Gives the ports `Builder` and `ImageConverter` their implementations. `Config` must be provided globally. */
@Module({
  providers: [
    { provide: Builder, useClass: LocalBuilder },
    { provide: ImageConverter, useClass: LocalConverter },
  ],
  exports: [Builder, ImageConverter],
})
export class BuildersModule {}
