import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { ArtifactsModule } from '../artifacts/index.js';
import { ImagesModule } from '../images/index.js';
import { JobsModule } from '../jobs/index.js';
import { TenancyModule } from '../tenancy/index.js';
import { CustomImageBuildsService } from './custom-image-builds.service.js';
import { CustomImageLogsService } from './custom-image-logs.service.js';
import { CustomImageRemovalService } from './custom-image-removal.service.js';
import { CustomImage } from './custom-image.entity.js';
import { CustomImagesRepository } from './custom-images.repository.js';
import { CustomImagesService } from './custom-images.service.js';
import { ParentImages } from './parent-images.js';
import { ConfigurationValidators } from './validation/configuration-validators.js';
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
  providers: [
    CustomImagesRepository,
    CustomImagesService,
    CustomImageBuildsService,
    CustomImageLogsService,
    CustomImageRemovalService,
    ConfigurationValidators,
    ParentImages,
    PageTokens,
    Regions,
  ],
  exports: [CustomImagesService, CustomImageBuildsService, CustomImageLogsService, CustomImageRemovalService, Regions],
})
export class CustomImagesModule {}
