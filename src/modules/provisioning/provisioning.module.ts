import { Module } from '@nestjs/common';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { IdentityModule } from '../identity/index.js';
import { ImagesModule } from '../images/index.js';
import { TenancyModule } from '../tenancy/index.js';
import { ArchitecturesRepository } from './architectures/architectures.repository.js';
import { ArchitecturesService } from './architectures/architectures.service.js';
import { ChangeLog } from './change-log.js';
import { ComputeResourcesRepository } from './compute-resources/compute-resources.repository.js';
import { ComputeResourcesService } from './compute-resources/compute-resources.service.js';
import { GivenRowsService } from './given-rows.service.js';
import { ImageMentionsRepository } from './image-mentions.repository.js';
import { ProvisioningImagesRepository } from './images/provisioning-images.repository.js';
import { ProvisioningImagesService } from './images/provisioning-images.service.js';
import { LocationsRepository } from './locations/locations.repository.js';
import { LocationsService } from './locations/locations.service.js';
import { OperatingSystemsRepository } from './operating-systems/operating-systems.repository.js';
import { OperatingSystemsService } from './operating-systems/operating-systems.service.js';
import { OrganizationsRepository } from './organizations/organizations.repository.js';
import { OrganizationsService } from './organizations/organizations.service.js';

@Module({
  imports: [TenancyModule, IdentityModule, ImagesModule, SecretsModule],
  providers: [
    ArchitecturesRepository,
    ArchitecturesService,
    ChangeLog,
    ComputeResourcesRepository,
    ComputeResourcesService,
    GivenRowsService,
    ImageMentionsRepository,
    LocationsRepository,
    LocationsService,
    OperatingSystemsRepository,
    OperatingSystemsService,
    OrganizationsRepository,
    OrganizationsService,
    ProvisioningImagesRepository,
    ProvisioningImagesService,
  ],
  exports: [
    ArchitecturesService,
    ComputeResourcesService,
    GivenRowsService,
    LocationsService,
    OperatingSystemsService,
    OrganizationsService,
    ProvisioningImagesService,
  ],
})
export class ProvisioningModule {}
