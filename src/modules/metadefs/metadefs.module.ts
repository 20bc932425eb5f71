import { Module } from '@nestjs/common';
import { ImagesModule } from '../images/index.js';
import { MetadefsLibraryService } from './library/metadefs-library.service.js';
import { MetadefsPolicy } from './metadefs.policy.js';
import { NamespaceAccess } from './namespaces/namespace-access.js';
import { NamespacesRepository } from './namespaces/namespaces.repository.js';
import { NamespacesService } from './namespaces/namespaces.service.js';
import { AssociationsRepository } from './parts/associations.repository.js';
import { AssociationsService } from './parts/associations.service.js';
import { MetadefObjectsService } from './parts/objects.service.js';
import { MetadefPropertiesService } from './parts/properties.service.js';
import { MetadefTagsService } from './parts/tags.service.js';

@Module({
  imports: [ImagesModule],
  providers: [
    NamespacesService,
    NamespacesRepository,
    NamespaceAccess,
    MetadefObjectsService,
    MetadefPropertiesService,
    MetadefTagsService,
    AssociationsService,
    AssociationsRepository,
    MetadefsLibraryService,
    MetadefsPolicy,
  ],
  exports: [
    NamespacesService,
    MetadefObjectsService,
    MetadefPropertiesService,
    MetadefTagsService,
    AssociationsService,
    MetadefsLibraryService,
  ],
})
export class MetadefsModule {}
