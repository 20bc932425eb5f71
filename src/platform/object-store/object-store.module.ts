import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { ObjectStores } from './object-stores.js';

/** Offers the configured `ObjectStores` to every module. `Config` must be offered globally. */
@Global()
@Module({
  providers: [{ provide: ObjectStores, inject: [Config], useFactory: (config: Config) => ObjectStores.open(config) }],
  exports: [ObjectStores],
})
export class ObjectStoreModule implements OnApplicationShutdown {
  constructor(private readonly stores: ObjectStores) {}

  async onApplicationShutdown(): Promise<void> {
    await this.stores.close();
  }
}
