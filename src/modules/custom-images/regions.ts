import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { RegionAmbiguousError, RegionUnsupportedError } from './custom-images.errors.js';

/** The regions of this deployment. */
@Injectable()
export class Regions {
  constructor(private readonly config: Config) {}

  /**
   * The region that is meant: the one asked for, else that of the configuration, else the default.
   * @throws RegionUnsupportedError, RegionAmbiguousError
   */
  resolve(asked: string | undefined, configured?: string): string {
    if (asked !== undefined && configured !== undefined && asked !== configured) {
      throw new RegionAmbiguousError(asked, configured);
    }
    const { regions } = this.config.parallelCluster;
    const region = asked ?? configured ?? regions[0]!;
    if (!regions.includes(region)) throw new RegionUnsupportedError(region, regions);
    return region;
  }
}
