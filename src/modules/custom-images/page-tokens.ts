import { Injectable } from '@nestjs/common';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import type { CustomImage } from './custom-image.entity.js';
import { PageTokenError } from './custom-images.errors.js';

/** The place behind which a page starts. */
export type PagePlace = Pick<CustomImage, 'createdAt' | 'name'>;

/** Places in lists as texts that nobody but Kiln can make, and that are good for one list only. */
@Injectable()
export class PageTokens {
  constructor(private readonly secrets: SecretBox) {}

  /** @param list what tells the list from every other one */
  async write(list: string, { createdAt, name }: PagePlace): Promise<string> {
    const sealed = await this.secrets.seal(JSON.stringify([createdAt.getTime(), name]), `page of ${list}`);
    return sealed.toString('base64url');
  }

  /** @throws PageTokenError */
  async read(list: string, token: string): Promise<PagePlace> {
    const text = await this.secrets.open(Buffer.from(token, 'base64url'), `page of ${list}`).catch(() => null);
    if (text === null) throw new PageTokenError();
    const [time, name] = JSON.parse(text) as [number, string];
    return { createdAt: new Date(time), name };
  }
}
