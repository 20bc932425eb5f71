import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { IdentityAccessKeysController } from './access-keys.controller.js';
import { IdentityAdministrationController } from './administration.controller.js';
import { IdentityAuthController } from './auth.controller.js';
import { IdentityCatalogueController } from './catalogue.controller.js';
import { IdentityDirectoryController } from './directory.controller.js';
import { IdentityDiscoveryController } from './discovery.controller.js';
import { IdentityFace } from './identity.face.js';
import { IdentityLimitsController } from './limits.controller.js';
import { ServiceCatalogue } from './service-catalogue.js';
import { IdentityUsersController } from './users.controller.js';

@Module({
  imports: [IdentityModule],
  controllers: [
    IdentityDiscoveryController,
    IdentityAuthController,
    IdentityDirectoryController,
    IdentityUsersController,
    IdentityAdministrationController,
    IdentityAccessKeysController,
    IdentityCatalogueController,
    IdentityLimitsController,
  ],
  providers: [IdentityFace, ServiceCatalogue],
})
export class IdentityFaceModule {
  constructor(faces: FaceRegistry, face: IdentityFace) {
    faces.register(face);
  }
}
