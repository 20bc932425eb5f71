import { Module } from '@nestjs/common';
import { FaceRegistry } from '../shared/face-registry.js';
import { HealthController } from './health.controller.js';
import { RootFace } from './root.face.js';

@Module({ controllers: [HealthController], providers: [RootFace] })
export class RootFaceModule {
  constructor(faces: FaceRegistry, face: RootFace) {
    faces.register(face);
    faces.registerFallback(face);
  }
}
