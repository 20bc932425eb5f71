import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { ProvisioningModule } from '../../modules/provisioning/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { ForemanAccessTokensController } from './access-tokens/access-tokens.controller.js';
import { Apidoc } from './apidoc/apidoc.js';
import { ForemanApidocController } from './apidoc/apidoc.controller.js';
import { ForemanArchitecturesController } from './architectures/architectures.controller.js';
import { ForemanComputeResourcesController } from './compute-resources/compute-resources.controller.js';
import { ForemanFace } from './foreman.face.js';
import { ForemanGuard } from './foreman.guard.js';
import { ForemanHomeController } from './home/home.controller.js';
import {
  ArchitectureImagesController,
  ComputeResourceImagesController,
  OperatingSystemImagesController,
} from './images/images.controller.js';
import { ForemanLocationsController } from './locations/locations.controller.js';
import { ForemanOperatingSystemsController } from './operating-systems/operating-systems.controller.js';
import { ForemanOrganizationsController } from './organizations/organizations.controller.js';

/** Foreman's images at `/foreman`, and the same at the root. */
@Module({
  imports: [IdentityModule, ProvisioningModule],
  controllers: [
    ComputeResourceImagesController,
    OperatingSystemImagesController,
    ArchitectureImagesController,
    ForemanComputeResourcesController,
    ForemanOperatingSystemsController,
    ForemanArchitecturesController,
    ForemanLocationsController,
    ForemanOrganizationsController,
    ForemanAccessTokensController,
    ForemanHomeController,
    ForemanApidocController,
  ],
  providers: [Apidoc, ForemanFace, ForemanGuard],
})
export class ForemanFaceModule {
  constructor(faces: FaceRegistry, face: ForemanFace) {
    faces.register(face);
  }
}
