export { Key } from './key.entity.js';
export { KeyMarkerNotFoundError, KeyNotFoundError } from './keys.errors.js';
export { KeysModule } from './keys.module.js';
export { KeysService } from './keys.service.js';
export type { CreateKey, KeyFilter, KeyQuery, KeySortKey } from './keys.types.js';
