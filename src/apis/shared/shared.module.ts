import { Global, Module } from '@nestjs/common';
import { FaceRegistry } from './face-registry.js';
import { PublicAddress } from './public-address.js';
import { RequestRate } from './rates/request-rate.js';
import { RouteTable } from './route-table.js';

/** What every face needs. The registry and the route table exist before Nest does, since Fastify asks them first. */
@Global()
@Module({})
export class SharedApiModule {
  static forRoot(faces: FaceRegistry, routes: RouteTable) {
    return {
      module: SharedApiModule,
      providers: [
        PublicAddress,
        RequestRate,
        { provide: FaceRegistry, useValue: faces },
        { provide: RouteTable, useValue: routes },
      ],
      exports: [PublicAddress, RequestRate, FaceRegistry, RouteTable],
    };
  }
}
