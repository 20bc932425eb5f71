import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { NodesRepository } from './nodes.repository.js';
import { NodesService } from './nodes.service.js';
import { RemoteNode } from './remote-node.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([RemoteNode])],
  providers: [NodesRepository, NodesService],
  exports: [NodesService],
})
export class NodesModule {}
