import { Injectable, type PipeTransform } from '@nestjs/common';
import { checkText } from './body.js';

/** A part of the path that may go to the database. */
@Injectable()
export class TextParam implements PipeTransform<string, string> {
  transform(value: string): string {
    return checkText('id', value, 5_000);
  }
}
