import { join } from 'node:path';
import type { Config } from '../../config/config.js';
import type { StoreConfig } from '../../config/config.schema.js';
import { FileObjectStore } from './file-object-store.js';
import { StoreNotConfiguredError } from './object-store.errors.js';
import type { ObjectStore, StoreDescription } from './object-store.js';

/** The configured stores by their ids. */
export class ObjectStores {
  private readonly byId: ReadonlyMap<string, ObjectStore>;

  /** @param stores at least one; the first is the default */
  constructor(stores: readonly ObjectStore[]) {
    if (stores.length === 0) throw new TypeError('at least one object store is needed');
    this.byId = new Map(stores.map((store) => [store.description.id, store]));
  }

  /** Makes the stores that a configuration names. None is contacted: `check` does that. */
  static async open(config: Pick<Config, 'stores' | 'dataDir'>): Promise<ObjectStores> {
    const spoolDir = join(config.dataDir, 'spool');
    return new ObjectStores(await Promise.all(config.stores.map((store) => openStore(store, spoolDir))));
  }

  /** Where new bytes go unless somebody chose a store. */
  get default(): ObjectStore {
    return this.all()[0]!;
  }

  /**
   * The store that a stored file names.
   * @throws StoreNotConfiguredError it was taken out of the configuration
   */
  get(id: string): ObjectStore {
    const store = this.find(id);
    if (!store) throw new StoreNotConfiguredError(id);
    return store;
  }

  /** The store of an id that a user named, or null. */
  find(id: string): ObjectStore | null {
    return this.byId.get(id) ?? null;
  }

  /** Every store, in the order of the configuration. */
  all(): readonly ObjectStore[] {
    return [...this.byId.values()];
  }

  /** What may be told of the stores, in the order of the configuration. */
  describe(): readonly (StoreDescription & { readonly isDefault: boolean })[] {
    return this.all().map((store) => ({ ...store.description, isDefault: store === this.default }));
  }

  /** Lets go of all connections. */
  async close(): Promise<void> {
    await Promise.all(this.all().map((store) => store.close()));
  }
}

async function openStore(config: StoreConfig, spoolDir: string): Promise<ObjectStore> {
  if (config.type === 'file') return new FileObjectStore(config);
  // Only here: the S3 client costs a process tens of megabytes, which one that keeps files can do without.
  const { S3ObjectStore } = await import('./s3-object-store.js');
  return new S3ObjectStore({ ...config, spoolDir });
}
