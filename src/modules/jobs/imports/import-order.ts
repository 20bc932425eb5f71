import { Actor, type Role } from '../../tenancy/index.js';
import type { ImageProperties } from '../../images/index.js';
import type { Job } from '../job.entity.js';

/** Where the data of an import comes from. */
export type ImportSourceOrder =
  | { readonly name: 'glance-direct' }
  | { readonly name: 'web-download'; readonly uri: string }
  | {
      readonly name: 'glance-download';
      readonly region: string;
      readonly imageId: string;
      readonly serviceInterface: string;
    }
  | { readonly name: 'copy-image' };

/** On whose behalf it is fetched. */
interface Asker {
  readonly id: string;
  readonly name: string;
  readonly projectId: string | null;
  readonly projectName: string | null;
  readonly roles: readonly Role[];
}

/** What a job of type `import` or `copy` is to do: its `input`. */
export interface ImportOrder {
  readonly method: ImportSourceOrder;
  readonly stores: readonly string[];
  readonly allStoresMustSucceed: boolean;
  /** Properties that the operator gives every imported image. */
  readonly inject: ImageProperties;
  readonly asker: Asker;
  /** As it was said to the old call that makes an image and imports it in one; absent for the others. */
  readonly legacy?: Readonly<Record<string, unknown>>;
}

/** @throws TypeError the job is no import */
export function orderOf({ id, input }: Pick<Job, 'id' | 'input'>): ImportOrder {
  if (input === null) throw new TypeError(`job ${id} has no order`);
  return input as unknown as ImportOrder;
}

export function toAsker({ id, name, projectId, projectName, roles }: Actor): Asker {
  return { id, name, projectId, projectName, roles: [...roles] };
}

/** The asker with the rights that it had when it asked. */
export function askerOf({ asker }: ImportOrder): Actor {
  return Actor.user(asker);
}

/** What the sealed token of a job belongs to. */
export function tokenContext(jobId: string): string {
  return `job ${jobId}`;
}
