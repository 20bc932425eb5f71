import { Module } from '@nestjs/common';
import { IdentityModule } from '../../modules/identity/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { IdentityAuthController } from './auth.controller.js';
import { IdentityDirectoryController } from './directory.controller.js';
import { IdentityDiscoveryController } from './discovery.controller.js';
import { IdentityFace } from './identity.face.js';
import { ServiceCatalogue } from './service-catalogue.js';
import { IdentityUsersController } from './users.controller.js';

@Module({
  imports: [IdentityModule],
  controllers: [
    IdentityDiscoveryController,
    IdentityAuthController,
    IdentityDirectoryController,
    IdentityUsersController,
  ],
  providers: [IdentityFace, ServiceCatalogue],
})
export class IdentityFaceModule {
  constructor(faces: FaceRegistry, face: IdentityFace) {
    faces.register(face);
  }
}
