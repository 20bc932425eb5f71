import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { TenancyModule } from '../tenancy/index.js';
import { Key } from './key.entity.js';
import { KeysRepository } from './keys.repository.js';
import { KeysService } from './keys.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Key]), TenancyModule],
  providers: [KeysRepository, KeysService],
  exports: [KeysService],
})
export class KeysModule {}
