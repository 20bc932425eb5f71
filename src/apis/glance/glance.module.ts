import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { ImagesModule } from '../../modules/images/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { GlanceImageDataController } from './data/image-data.controller.js';
import { GlanceDiscoveryController } from './discovery/discovery.controller.js';
import { GlanceFace } from './glance.face.js';
import { GlanceFallbackController } from './glance.fallback.controller.js';
import { TokenGuard } from '../shared/auth-guard.js';
import { NoBodyGuard } from './no-body.guard.js';
import { GlanceImagesController } from './images/images.controller.js';
import { GlanceMembersController } from './members/members.controller.js';
import { GlanceSchemasController } from './schemas/schemas.controller.js';
import { GlanceStoresController } from './stores/stores.controller.js';
import { GlanceTagsController } from './tags/tags.controller.js';

/** The Image API v2 at `/image`. */
@Module({
  imports: [IdentityModule, ImagesModule],
  controllers: [
    GlanceImagesController,
    GlanceImageDataController,
    GlanceTagsController,
    GlanceMembersController,
    GlanceSchemasController,
    GlanceStoresController,
    GlanceFallbackController,
    GlanceDiscoveryController,
  ],
  providers: [GlanceFace, TokenGuard, NoBodyGuard],
})
export class GlanceFaceModule {
  constructor(faces: FaceRegistry, face: GlanceFace) {
    faces.register(face);
  }
}
