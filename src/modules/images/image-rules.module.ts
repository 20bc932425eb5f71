import { Module } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Policy } from '../tenancy/index.js';
import { type LoadedImageRules, loadImageRules } from './protection/load-image-rules.js';
import { PropertyProtections } from './protection/property-protections.js';

const LOADED = Symbol('the rules of the image API');

/** The rules of the image API in force, for the modules that ask them. */
@Module({
  providers: [
    { provide: LOADED, useFactory: loadImageRules, inject: [Config] },
    { provide: Policy, useFactory: ({ policy }: LoadedImageRules) => policy, inject: [LOADED] },
    {
      provide: PropertyProtections,
      useFactory: ({ protections }: LoadedImageRules) => protections,
      inject: [LOADED],
    },
  ],
  exports: [Policy, PropertyProtections],
})
export class ImageRulesModule {}
