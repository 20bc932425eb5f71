import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { ImagesModule } from '../../modules/images/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { NovaDiscoveryController } from './discovery/discovery.controller.js';
import { NovaImagesController } from './images/images.controller.js';
import { NovaMetadataController } from './metadata/metadata.controller.js';
import { NovaFace } from './nova.face.js';
import { NovaFallbackController } from './nova.fallback.controller.js';
import { NovaGuard } from './nova.guard.js';

/** The image calls of the Compute API at `/compute`. */
@Module({
  imports: [IdentityModule, ImagesModule],
  controllers: [NovaImagesController, NovaMetadataController, NovaFallbackController, NovaDiscoveryController],
  providers: [NovaFace, NovaGuard],
})
export class NovaFaceModule {
  constructor(faces: FaceRegistry, face: NovaFace) {
    faces.register(face);
  }
}
