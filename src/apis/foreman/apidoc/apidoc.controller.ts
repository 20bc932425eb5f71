import { Controller, Get, Param } from '@nestjs/common';
import { RouteNotFoundError } from '../../shared/request-errors.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { APIDOC, APIDOC_CHECKSUM } from './apidoc.js';

/** With and without a language. */
const DOCUMENT = /^v2(\.[A-Za-z_-]{2,10})?\.json$/;

/** Read without credentials, before clients know how to bring any. */
@Controller(`${FOREMAN_MOUNT}/apidoc`)
export class ForemanApidocController {
  @Get('apipie_checksum')
  checksum() {
    return { checksum: APIDOC_CHECKSUM };
  }

  @Get(':file')
  document(@Param('file') file: string) {
    if (!DOCUMENT.test(file)) throw new RouteNotFoundError(`/apidoc/${file}`);
    return APIDOC;
  }
}
