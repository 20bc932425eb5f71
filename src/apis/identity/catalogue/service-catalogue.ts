import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../../config/config.js';
import { stableId } from '../../../modules/identity/index.js';
import { FaceRegistry } from '../../shared/face-registry.js';
import { PublicAddress } from '../../shared/public-address.js';

/** What clients look for, and where the face that serves it is mounted. Only faces that exist are advertised. */
const SERVICES = [
  { type: 'identity', mount: '/identity', path: '/identity/v3' },
  // Without a version: clients discover it.
  { type: 'image', mount: '/image', path: '/image' },
  { type: 'compute', mount: '/compute', path: '/compute/v2.1' },
] as const;

const INTERFACES = ['public', 'internal', 'admin'] as const;

/** A service as a token's catalogue shows it. */
export interface CatalogueEntry {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly interface: string;
    readonly region: string;
    readonly region_id: string;
    readonly url: string;
  }[];
}

/** The service catalogue: every face of Kiln that OpenStack clients look for, at Kiln's public address. */
@Injectable()
export class ServiceCatalogue {
  constructor(
    private readonly faces: FaceRegistry,
    private readonly address: PublicAddress,
    private readonly config: Config,
  ) {}

  /** The id of a service by its type; the catalogue of every Kiln has the same. */
  serviceId(type: string): string {
    return stableId('service', type);
  }

  /** Every address on its own. */
  endpoints(request: FastifyRequest) {
    return this.of(request).flatMap(({ id, endpoints }) => endpoints.map((one) => ({ ...one, service_id: id })));
  }

  of(request: FastifyRequest): CatalogueEntry[] {
    const mounts = new Set(this.faces.all().flatMap((face) => face.mounts));
    const { region } = this.config;
    return SERVICES.filter(({ mount }) => mounts.has(mount)).map(({ type, path }) => ({
      id: this.serviceId(type),
      type,
      name: 'kiln',
      endpoints: INTERFACES.map((name) => ({
        id: stableId('endpoint', `${type}:${name}:${region}`),
        interface: name,
        region,
        region_id: region,
        url: `${this.address.of(request)}${path}`,
      })),
    }));
  }
}
