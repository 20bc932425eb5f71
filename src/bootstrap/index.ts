export { BootstrapModule } from './bootstrap.module.js';
export { BootstrapFileError, BootstrapService, type BootstrapOutcome } from './bootstrap.service.js';
