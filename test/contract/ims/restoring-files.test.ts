import { startKiln } from '../../support/kiln.js';
import { describeRestoring } from './restoring.js';

describeRestoring('files', () => startKiln({ env: { KILN_ROLE: 'api' } }));
