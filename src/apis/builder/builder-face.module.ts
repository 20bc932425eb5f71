import { Module } from '@nestjs/common';
import { JobsModule } from '../../modules/jobs/index.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { BuilderController } from './builder.controller.js';
import { BuilderFace } from './builder.face.js';
import { BuilderGuard } from './builder.guard.js';

@Module({
  imports: [JobsModule],
  controllers: [BuilderController],
  providers: [BuilderFace, BuilderGuard],
})
export class BuilderFaceModule {
  constructor(faces: FaceRegistry, face: BuilderFace) {
    faces.register(face);
  }
}
