import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { HashPool } from './hash-pool.js';

/** Offers the process's one `HashPool` to every module. */
@Global()
@Module({
  providers: [{ provide: HashPool, useFactory: () => new HashPool() }],
  exports: [HashPool],
})
export class HashingModule implements OnApplicationShutdown {
  constructor(private readonly pool: HashPool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.close();
  }
}
