import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { IdentityAccessKeysController } from './credentials/access-keys.controller.js';
import { IdentityAdministrationController } from './administration/administration.controller.js';
import { IdentityAuthController } from './sign-in/auth.controller.js';
import { IdentityCatalogueController } from './catalogue/catalogue.controller.js';
import { IdentityDirectoryController } from './administration/directory.controller.js';
import { IdentityDiscoveryController } from './discovery.controller.js';
import { IdentityFace } from './identity.face.js';
import { IdentityLimitsController } from './limits/limits.controller.js';
import { ServiceCatalogue } from './catalogue/service-catalogue.js';
import { IdentityUsersController } from './administration/users.controller.js';

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
