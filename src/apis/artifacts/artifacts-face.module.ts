import { Module } from '@nestjs/common';
import { ArtifactsModule } from '../../modules/artifacts/index.js';
import { IdentityModule } from '../../modules/identity/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { ArtifactsController } from './artifacts.controller.js';
import { ArtifactsFace } from './artifacts.face.js';
import { ArtifactsGuard } from './artifacts.guard.js';

@Module({
  imports: [ArtifactsModule, IdentityModule],
  controllers: [ArtifactsController],
  providers: [ArtifactsFace, ArtifactsGuard],
})
export class ArtifactsFaceModule {
  constructor(faces: FaceRegistry, face: ArtifactsFace) {
    faces.register(face);
  }
}
