import { Global, Module } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { EgressClient } from './egress-client.js';

/** Offers the process's one `EgressClient` to every module. `Config` must be offered globally. */
@Global()
@Module({
  providers: [
    { provide: EgressClient, inject: [Config], useFactory: (config: Config) => new EgressClient(config.egress) },
  ],
  exports: [EgressClient],
})
export class EgressModule {}
