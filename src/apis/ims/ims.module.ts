import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { ImagesModule } from '../../modules/images/index.js';
import { JobsModule } from '../../modules/jobs/index.js';
import { KeysModule } from '../../modules/keys/index.js';
import { NodesModule } from '../../modules/nodes/index.js';
import { RecipesModule } from '../../modules/recipes/index.js';
import { TenancyModule } from '../../modules/tenancy/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { ImsDeletedImagesController } from './deleted/ims-deleted-images.controller.js';
import { ImsDeletedPublicKeysController } from './deleted/ims-deleted-public-keys.controller.js';
import { ImsDeletedRecipesController } from './deleted/ims-deleted-recipes.controller.js';
import { ImsHealthController } from './health/ims-health.controller.js';
import { ImsImagesController } from './images/ims-images.controller.js';
import { ImsShownImages } from './images/ims-shown-images.js';
import { ImsFace } from './ims.face.js';
import { ImsGuard } from './ims.guard.js';
import { ImsJobsController } from './jobs/ims-jobs.controller.js';
import { ImsJobsPresenter } from './jobs/ims-jobs.presenter.js';
import { ImsPublicKeysController } from './public-keys/ims-public-keys.controller.js';
import { ImsRecipesController } from './recipes/ims-recipes.controller.js';
import { ImsRemoteBuildNodesController } from './remote-build-nodes/ims-remote-build-nodes.controller.js';
import { ImsImagesV2Controller } from './v2/ims-images-v2.controller.js';
import { ImsPublicKeysV2Controller } from './v2/ims-public-keys-v2.controller.js';
import { ImsRecipesV2Controller } from './v2/ims-recipes-v2.controller.js';

@Module({
  imports: [IdentityModule, TenancyModule, ImagesModule, KeysModule, RecipesModule, JobsModule, NodesModule],
  controllers: [
    ImsHealthController,
    ImsImagesController,
    ImsPublicKeysController,
    ImsRecipesController,
    ImsJobsController,
    ImsDeletedImagesController,
    ImsDeletedPublicKeysController,
    ImsDeletedRecipesController,
    ImsRemoteBuildNodesController,
    ImsImagesV2Controller,
    ImsPublicKeysV2Controller,
    ImsRecipesV2Controller,
  ],
  providers: [ImsFace, ImsGuard, ImsJobsPresenter, ImsShownImages],
})
export class ImsFaceModule {
  constructor(faces: FaceRegistry, face: ImsFace) {
    faces.register(face);
  }
}
