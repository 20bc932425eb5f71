import { Module } from '@nestjs/common';
import { CustomImagesModule } from '../../modules/custom-images/index.js';
import { IdentityModule } from '../../modules/identity/index.js';
import { ImagesModule } from '../../modules/images/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { ConfigurationAddress } from './images/configuration-address.js';
import { ParallelClusterImagesController } from './images/images.controller.js';
import { ParallelClusterImageLogsController } from './logs/image-logs.controller.js';
import { ParallelClusterOfficialImagesController } from './official/official-images.controller.js';
import { ParallelClusterFace } from './parallelcluster.face.js';
import { ParallelClusterFallbackController } from './parallelcluster.fallback.controller.js';
import { ParallelClusterGuard } from './parallelcluster.guard.js';

/** The image operations of the AWS ParallelCluster API at `/parallelcluster`. */
@Module({
  imports: [IdentityModule, ImagesModule, CustomImagesModule],
  controllers: [
    ParallelClusterImagesController,
    ParallelClusterImageLogsController,
    ParallelClusterOfficialImagesController,
    ParallelClusterFallbackController,
  ],
  providers: [ParallelClusterFace, ParallelClusterGuard, ConfigurationAddress],
})
export class ParallelClusterFaceModule {
  constructor(faces: FaceRegistry, face: ParallelClusterFace) {
    faces.register(face);
  }
}
