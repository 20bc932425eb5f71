import { Module } from '@nestjs/common';
import { IdentityModule } from '../modules/identity/index.js';
import { TenancyModule } from '../modules/tenancy/index.js';
import { BootstrapService } from './bootstrap.service.js';

@Module({ imports: [IdentityModule, TenancyModule], providers: [BootstrapService], exports: [BootstrapService] })
export class BootstrapModule {}
