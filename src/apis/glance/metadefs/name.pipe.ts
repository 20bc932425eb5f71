import { Injectable, type PipeTransform } from '@nestjs/common';
import { RouteNotFoundError } from '../../shared/requests/request-errors.js';

/** A name in a path. Nothing has a name that cannot be kept. */
@Injectable()
export class NamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (name.includes('\0')) throw new RouteNotFoundError(JSON.stringify(name));
    return name;
  }
}
