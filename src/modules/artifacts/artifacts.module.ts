import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { HashingModule } from '../../platform/hashing/hashing.module.js';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { TenancyModule } from '../tenancy/index.js';
import { Artifact } from './artifact.entity.js';
import { ArtifactsRepository } from './artifacts.repository.js';
import { ArtifactsService } from './artifacts.service.js';
import { DeletedBytes } from './deleted-bytes.js';
import { DownloadLinks } from './download-links.js';
import { FileRemover } from './file-remover.js';
import { FileWriter } from './file-writer.js';
import { StoredFile } from './stored-file.entity.js';
import { StoredFilesRepository } from './stored-files.repository.js';

@Module({
  imports: [TypeOrmModule.forFeature([StoredFile, Artifact]), HashingModule, SecretsModule, TenancyModule],
  providers: [
    ArtifactsRepository,
    StoredFilesRepository,
    FileRemover,
    FileWriter,
    ArtifactsService,
    DeletedBytes,
    DownloadLinks,
  ],
  exports: [ArtifactsService, DeletedBytes, DownloadLinks],
})
export class ArtifactsModule {}
