import { Asks } from '../../shared/documents/documented.js';
import { CONTEXT, LISTING } from './parameters.js';

/** What every list is asked with. */
export const AsksForPage = (): MethodDecorator => Asks(...[...CONTEXT, ...LISTING].map(({ name }) => name));
