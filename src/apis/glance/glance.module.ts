import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { ImagesModule } from '../../modules/images/index.js';
import { JobsModule } from '../../modules/jobs/index.js';
import { MetadefsModule } from '../../modules/metadefs/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { CacheEnabledGuard, GlanceCacheController } from './cache/cache.controller.js';
import { TenancyModule } from '../../modules/tenancy/index.js';
import { GlanceActionsController } from './actions/actions.controller.js';
import { GlanceImageDataController } from './data/image-data.controller.js';
import { GlanceDiscoveryController } from './discovery/discovery.controller.js';
import { GlanceFace } from './glance.face.js';
import { GlanceFallbackController } from './glance.fallback.controller.js';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import { NoBodyGuard } from './no-body.guard.js';
import { GlanceImagesController } from './images/images.controller.js';
import { GlanceImportsController } from './imports/imports.controller.js';
import { GlanceLocationsController } from './locations/locations.controller.js';
import { GlanceMembersController } from './members/members.controller.js';
import { GlanceNamespacesController } from './metadefs/namespaces.controller.js';
import { GlanceMetadefObjectsController } from './metadefs/objects.controller.js';
import { GlanceMetadefPropertiesController } from './metadefs/properties.controller.js';
import { GlanceResourceTypesController } from './metadefs/resource-types.controller.js';
import { GlanceMetadefTagsController } from './metadefs/tags.controller.js';
import { GlanceSchemasController } from './schemas/schemas.controller.js';
import { GlanceStoresController } from './stores/stores.controller.js';
import { GlanceTagsController } from './tags/tags.controller.js';
import { GlanceTasksController } from './tasks/tasks.controller.js';
import { GlanceUsageController } from './usage/usage.controller.js';

/** The Image API v2 at `/image`. */
@Module({
  imports: [IdentityModule, ImagesModule, JobsModule, MetadefsModule, TenancyModule],
  controllers: [
    GlanceImagesController,
    GlanceImageDataController,
    GlanceActionsController,
    GlanceUsageController,
    GlanceImportsController,
    GlanceTasksController,
    GlanceTagsController,
    GlanceLocationsController,
    GlanceMembersController,
    GlanceSchemasController,
    GlanceStoresController,
    GlanceCacheController,
    GlanceNamespacesController,
    GlanceMetadefObjectsController,
    GlanceMetadefPropertiesController,
    GlanceMetadefTagsController,
    GlanceResourceTypesController,
    GlanceFallbackController,
    GlanceDiscoveryController,
  ],
  providers: [GlanceFace, TokenGuard, NoBodyGuard, CacheEnabledGuard],
})
export class GlanceFaceModule {
  constructor(faces: FaceRegistry, face: GlanceFace) {
    faces.register(face);
  }
}
