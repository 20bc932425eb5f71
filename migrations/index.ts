import { CreateTenancy1767225600000 } from './1767225600000-create-tenancy.js';
import { CreateArtifacts1767225660000 } from './1767225660000-create-artifacts.js';
import { CreateImages1767225720000 } from './1767225720000-create-images.js';
import { CreateRecipesAndKeys1767225780000 } from './1767225780000-create-recipes-and-keys.js';
import { CreateJobs1767225840000 } from './1767225840000-create-jobs.js';
import { CreateEvents1767225900000 } from './1767225900000-create-events.js';
import { AddDefaultLimits1767226000000 } from './1767226000000-add-default-limits.js';
import { AddAccessRules1767226001000 } from './1767226001000-add-access-rules.js';
import { AddAccessKeys1767226002000 } from './1767226002000-add-access-keys.js';
import { WidenJobs1767226060000 } from './1767226060000-widen-jobs.js';
import { StageFiles1767226061000 } from './1767226061000-stage-files.js';
import { KeepTasks1767226062000 } from './1767226062000-keep-tasks.js';
import { AddImageLocations1767226120000 } from './1767226120000-add-image-locations.js';
import { CreateMetadefs1767226300000 } from './1767226300000-create-metadefs.js';
import { CreateRateLimits1767226420000 } from './1767226420000-create-rate-limits.js';
import { ListHashTasks1767226480000 } from './1767226480000-list-hash-tasks.js';
import { NameImagesAsAmis1796200000000 } from './1796200000000-name-images-as-amis.js';
import { IndexOfficialImages1796200001000 } from './1796200001000-index-official-images.js';
import { CreateCustomImages1796200002000 } from './1796200002000-create-custom-images.js';
import { AddImagePins1796300000000 } from './1796300000000-add-image-pins.js';
import { CreateProvisioning1796300001000 } from './1796300001000-create-provisioning.js';
import { AddJobShells1796500000000 } from './1796500000000-add-job-shells.js';
import { CreateRemoteNodes1796600000000 } from './1796600000000-create-remote-nodes.js';
import { AddBuilderCredentials1796700000000 } from './1796700000000-add-builder-credentials.js';
import { TimeLogChunks1796840000000 } from './1796840000000-time-log-chunks.js';
import { IndexDeletedBytes1796860000000 } from './1796860000000-index-deleted-bytes.js';
import { FindQueuedByType1796870000000 } from './1796870000000-find-queued-by-type.js';
import { KeepForcedDeletions1796920000000 } from './1796920000000-keep-forced-deletions.js';
import { IndexDeletedLists1796940000000 } from './1796940000000-index-deleted-lists.js';

/** Every migration, oldest first. Append only. */
export const MIGRATIONS = [
  CreateTenancy1767225600000,
  CreateArtifacts1767225660000,
  CreateImages1767225720000,
  CreateRecipesAndKeys1767225780000,
  CreateJobs1767225840000,
  CreateEvents1767225900000,
  AddDefaultLimits1767226000000,
  AddAccessRules1767226001000,
  AddAccessKeys1767226002000,
  WidenJobs1767226060000,
  StageFiles1767226061000,
  KeepTasks1767226062000,
  AddImageLocations1767226120000,
  CreateMetadefs1767226300000,
  CreateRateLimits1767226420000,
  ListHashTasks1767226480000,
  NameImagesAsAmis1796200000000,
  IndexOfficialImages1796200001000,
  CreateCustomImages1796200002000,
  AddImagePins1796300000000,
  CreateProvisioning1796300001000,
  AddJobShells1796500000000,
  CreateRemoteNodes1796600000000,
  AddBuilderCredentials1796700000000,
  TimeLogChunks1796840000000,
  IndexDeletedBytes1796860000000,
  FindQueuedByType1796870000000,
  KeepForcedDeletions1796920000000,
  IndexDeletedLists1796940000000,
];
