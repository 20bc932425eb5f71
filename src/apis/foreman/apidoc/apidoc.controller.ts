import { Controller, Get, Param } from '@nestjs/common';
import { RouteNotFoundError } from '../../shared/requests/request-errors.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { Apidoc } from './apidoc.js';

/** With and without a language. */
const DOCUMENT = /^v2(\.[A-Za-z_-]{2,10})?\.json$/;

/** Read without credentials, before clients know how to bring any. */
@Controller(`${FOREMAN_MOUNT}/apidoc`)
export class ForemanApidocController {
  constructor(private readonly apidoc: Apidoc) {}

  @Get('apipie_checksum')
  checksum() {
    return { checksum: this.apidoc.checksum };
  }

  @Get(':file')
  document(@Param('file') file: string) {
    if (!DOCUMENT.test(file)) throw new RouteNotFoundError(`/apidoc/${file}`);
    return this.apidoc.document;
  }
}
