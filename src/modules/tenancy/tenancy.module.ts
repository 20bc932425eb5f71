import { Module } from '@nestjs/common';
import { Ledger } from './ledger.js';
import { ProjectsService } from './projects.service.js';

@Module({ providers: [Ledger, ProjectsService], exports: [Ledger, ProjectsService] })
export class TenancyModule {}
