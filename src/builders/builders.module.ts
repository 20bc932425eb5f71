import { Module } from '@nestjs/common';
import { Builder, ImageConverter, JobsModule } from '../modules/jobs/index.js';
import { ChosenBuilder } from './chosen.builder.js';
import { KubernetesBuilder } from './kubernetes/kubernetes.builder.js';
import { LocalConverter } from './local/local-converter.js';
import { LocalBuilder } from './local/local.builder.js';

/** Gives the ports `Builder` and `ImageConverter` their implementations. `Config` must be provided globally. */
@Module({
  imports: [JobsModule],
  providers: [
    LocalBuilder,
    KubernetesBuilder,
    { provide: Builder, useClass: ChosenBuilder },
    { provide: ImageConverter, useClass: LocalConverter },
  ],
  exports: [Builder, ImageConverter],
})
export class BuildersModule {}
