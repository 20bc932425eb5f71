import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ArtifactsModule } from '../artifacts/index.js';
import { ImageCache } from './cache/image-cache.js';
import { ImageCacheService } from './cache/image-cache.service.js';
import { TenancyModule } from '../tenancy/index.js';
import { DeletedImagesRepository } from './deleted/deleted-images.repository.js';
import { DeletedImagesService } from './deleted/deleted-images.service.js';
import { DeletedManifestsService } from './deleted/deleted-manifests.service.js';
import { ImageImportsService } from './imports/image-imports.service.js';
import { ImageImportsRepository } from './imports/image-imports.repository.js';
import { ImageStagingService } from './imports/image-staging.service.js';
import { Certificates } from './content/certificates.js';
import { ImageActivationService } from './image-activation.service.js';
import { ImageContentService } from './content/image-content.service.js';
import { ImageDataService } from './data/image-data.service.js';
import { Image } from './image.entity.js';
import { ImageListRepository } from './image-list.repository.js';
import { ImageRemovalService } from './image-removal.service.js';
import { ImageRulesModule } from './image-rules.module.js';
import { ImagesPolicy } from './images.policy.js';
import { ImagesRepository } from './images.repository.js';
import { ImagesService } from './images.service.js';
import { BuiltImagesService } from './registration/built-images.service.js';
import { ImageManifestsService } from './registration/image-manifests.service.js';
import { ImageRegistrationRepository } from './registration/image-registration.repository.js';
import { ImageRegistrationService } from './registration/image-registration.service.js';
import { ImageRootsService } from './registration/image-roots.service.js';
import { ImageCopiesService } from './locations/image-copies.service.js';
import { ExaminedLocationsService } from './locations/examined-locations.service.js';
import { ImageLocationsRepository } from './locations/image-locations.repository.js';
import { ImageLocationsService } from './locations/image-locations.service.js';
import { ImageReader } from './locations/image-reader.js';
import { WebReader } from './locations/web-reader.js';
import { ImagePinsRepository } from './pins/image-pins.repository.js';
import { ImagePinsService } from './pins/image-pins.service.js';
import { ImageMember } from './members/image-member.entity.js';
import { ImageMembersRepository } from './members/image-members.repository.js';
import { ImageMembersService } from './members/image-members.service.js';
import { OfficialImagesService } from './official/official-images.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Image, ImageMember]), TenancyModule, ArtifactsModule, ImageRulesModule],
  providers: [
    ImagesService,
    ImageActivationService,
    ImageDataService,
    ImageCache,
    ImageCacheService,
    ImageContentService,
    ImageStagingService,
    ImageImportsService,
    ImageImportsRepository,
    Certificates,
    ImageMembersService,
    ImageRemovalService,
    DeletedImagesService,
    DeletedImagesRepository,
    DeletedManifestsService,
    ImageCopiesService,
    ExaminedLocationsService,
    ImageLocationsRepository,
    ImageLocationsService,
    ImageReader,
    WebReader,
    ImagesPolicy,
    ImagesRepository,
    ImageListRepository,
    ImageMembersRepository,
    ImagePinsRepository,
    ImagePinsService,
    ImageRegistrationService,
    ImageRegistrationRepository,
    BuiltImagesService,
    ImageManifestsService,
    ImageRootsService,
    OfficialImagesService,
  ],
  exports: [
    ExaminedLocationsService,
    ImageLocationsService,
    ImageCopiesService,
    ImagesPolicy,
    ImageCacheService,
    ImageRulesModule,
    ImageActivationService,
    DeletedImagesService,
    DeletedManifestsService,
    BuiltImagesService,
    ImageManifestsService,
    ImageRootsService,
    ImageRegistrationService,
    ImagesService,
    ImageDataService,
    ImageContentService,
    ImageStagingService,
    ImageImportsService,
    ImageMembersService,
    ImagePinsService,
    ImageRemovalService,
    OfficialImagesService,
  ],
})
export class ImagesModule {}
