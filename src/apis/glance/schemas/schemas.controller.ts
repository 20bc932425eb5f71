import { Controller, Get, Param, UseGuards } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { RouteNotFoundError } from '../../shared/requests/request-errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { METADEF_SCHEMAS, schemas } from './schema-documents.js';

/** @see Image API v2, "Image Schemas" */
@Controller(`${GLANCE_MOUNT}/v2/schemas`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceSchemasController {
  private readonly documents: Readonly<Record<string, object>>;

  constructor(config: Config) {
    this.documents = schemas(config.images.formats);
  }

  @Get(':name')
  show(@Param('name') name: string) {
    return documentOf(this.documents, name);
  }

  @Get('metadefs/:name')
  showMetadef(@Param('name') name: string) {
    return documentOf(METADEF_SCHEMAS, name);
  }
}

function documentOf(documents: Readonly<Record<string, object>>, name: string): object {
  if (!Object.hasOwn(documents, name)) throw new RouteNotFoundError(`schema ${name}`);
  return documents[name]!;
}
