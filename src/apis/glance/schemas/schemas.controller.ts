import { Controller, Get, Param, UseGuards } from '@nestjs/common';
import { RouteNotFoundError } from '../../shared/request-errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { SCHEMAS } from './schema-documents.js';

/** @see Image API v2, "Image Schemas" */
@Controller(`${GLANCE_MOUNT}/v2/schemas`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceSchemasController {
  @Get(':name')
  show(@Param('name') name: string) {
    if (!Object.hasOwn(SCHEMAS, name)) throw new RouteNotFoundError(`/v2/schemas/${name}`);
    return SCHEMAS[name];
  }
}
