import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { ArtifactsModule } from '../artifacts/index.js';
import { ImagesModule } from '../images/index.js';
import { JobsModule } from '../jobs/index.js';
import { TenancyModule } from '../tenancy/index.js';
import { CustomImage } from './custom-image.entity.js';
import { CustomImagesRepository } from './custom-images.repository.js';
import { CustomImagesService } from './custom-images.service.js';
import { PageTokens } from './page-tokens.js';
import { Regions } from './regions.js';

@Module({
  imports: [
    TypeOrmModule.forFeature([CustomImage]),
    TenancyModule,
    ArtifactsModule,
    ImagesModule,
    JobsModule,
    SecretsModule,
  ],
  providers: [CustomImagesRepository, CustomImagesService, PageTokens, Regions],
  exports: [CustomImagesService, Regions],
})
export class CustomImagesModule {}
