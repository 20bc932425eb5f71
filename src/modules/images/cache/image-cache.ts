import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { FileCache } from '../../../platform/file-cache/file-cache.js';
import { Log } from '../../../platform/logging/log.js';
import type { ByteRange } from '../../../platform/object-store/object-store.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import type { Image } from '../image.entity.js';
import { ImagesRepository } from '../images.repository.js';
import { hasData } from '../image-status.js';
import { ImageReader } from '../locations/image-reader.js';

const CLEAN_EVERY_MS = 10 * 60_000;

/**
 * Image files kept on this machine, under the ids of their images: the bytes of an image that has any never change.
 *
 * Downloads from stores elsewhere ask for the file to be kept; of a store on this machine a copy would only cost disk, so
 * there only an administrator asks. Files come one at a time in the background. What is lost with the folder is fetched
 * again.
 */
@Injectable()
export class ImageCache implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** Null: switched off. */
  readonly files: FileCache | null;
  private readonly serving: boolean;
  private readonly stopping = new AbortController();
  private working: Promise<void> | null = null;
  private again = false;
  /** What is being fetched, and whether somebody has asked for it once more since that began. */
  private filling: { readonly imageId: string; askedAgain: boolean } | null = null;
  private cleaning: NodeJS.Timeout | undefined;

  constructor(
    config: Config,
    private readonly images: ImagesRepository,
    private readonly reader: ImageReader,
    private readonly stores: ObjectStores,
    private readonly log: Log,
  ) {
    const { cacheMaxBytes } = config.images;
    this.files =
      cacheMaxBytes === null ? null : new FileCache({ path: join(config.dataDir, 'cache'), maxBytes: cacheMaxBytes });
    // A worker sends nobody an image.
    this.serving = config.role !== 'worker';
  }

  onApplicationBootstrap(): void {
    if (!this.files || !this.serving) return;
    this.fillSoon();
    this.cleaning = setInterval(() => this.cleanQuietly(), CLEAN_EVERY_MS).unref();
    this.cleanQuietly();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.cleaning);
    this.stopping.abort(new Error('Kiln is stopping'));
    await this.working;
  }

  /**
   * Opens an active image for reading: the kept file if there is one, else as `ImageReader` does. Whether somebody may read
   * it is decided before.
   */
  async open(image: Image, prefer: readonly string[], range?: ByteRange): Promise<Readable> {
    const kept = await this.files?.open(image.id, image.sizeBytes!, range);
    if (kept) return kept;
    if (this.files && isSure(image) && this.isElsewhere(image)) await this.wantQuietly(image.id);
    return this.reader.open(image, prefer, range);
  }

  /** Asks for the file of an image to be kept. */
  async want(imageId: string): Promise<void> {
    if (this.filling?.imageId === imageId) this.filling.askedAgain = true;
    await this.files?.want(imageId);
    this.fillSoon();
  }

  /** No longer asks for the file of an image. */
  async unwant(imageId: string): Promise<void> {
    if (this.filling?.imageId === imageId) this.filling.askedAgain = false;
    await this.files?.unwant(imageId);
  }

  /** Lets go of a deleted image. */
  async forget(imageId: string): Promise<void> {
    try {
      await this.unwant(imageId);
      await this.files?.remove(imageId);
    } catch (error) {
      this.log.warn('a deleted image stays in the cache until it is cleaned', { error, image_id: imageId });
    }
  }

  /** Removes what is left of interrupted writes, and the files of images that are gone. */
  async clean(): Promise<void> {
    await this.files?.clean();
    for (const { key } of (await this.files?.list()) ?? []) {
      if (!(await this.images.find(key, null))) await this.forget(key);
    }
  }

  /** Whether no store on this machine has it. */
  private isElsewhere({ storeIds }: Image): boolean {
    return !storeIds.some((id) => ['file', 'memory'].includes(this.stores.find(id)?.description.type ?? ''));
  }

  /** The cache is never the reason why a download fails. */
  private async wantQuietly(imageId: string): Promise<void> {
    try {
      await this.want(imageId);
    } catch (error) {
      this.log.warn('an image cannot be asked for to be cached', { error, image_id: imageId });
    }
  }

  private cleanQuietly(): void {
    this.clean().catch((error: unknown) => this.log.warn('the image cache could not be cleaned', { error }));
  }

  private fillSoon(): void {
    if (!this.files || !this.serving || this.stopping.signal.aborted) return;
    this.again = true;
    this.working ??= this.work(this.files);
  }

  /** Goes on until nobody has asked since it last looked, which may be while it looks. */
  private async work(files: FileCache): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false;
      await this.fillAll(files).catch((error: unknown) =>
        this.log.warn('the image cache could not be filled', { error }),
      );
    }
    this.working = null;
  }

  private async fillAll(files: FileCache): Promise<void> {
    for (;;) {
      const [imageId] = await files.wanted();
      if (imageId === undefined || this.stopping.signal.aborted) return;
      const filling = (this.filling = { imageId, askedAgain: false });
      try {
        await this.fill(files, imageId);
      } catch (error) {
        // Asked for again at the next start, if it was the stop that broke it off.
        if (this.stopping.signal.aborted) return;
        this.log.warn('an image could not be cached', { error, image_id: imageId });
      }
      await files.unwant(imageId);
      // Whoever asked meanwhile may have done so because what came is gone again.
      if (filling.askedAgain) await files.want(imageId);
    }
  }

  private async fill(files: FileCache, imageId: string): Promise<void> {
    const image = (await this.images.find(imageId, null))?.image;
    if (!image || !hasData(image.status) || image.sizeBytes === null || !isSure(image)) return;
    const source = () => this.reader.open(image, []);
    const kept = await files.fill(imageId, image.sizeBytes, source, this.stopping.signal);
    if (!kept) this.log.info('an image is larger than the cache', { image_id: imageId, bytes: image.sizeBytes });
    // Deleted while its bytes came: the delete found nothing to remove.
    if (!(await this.images.find(imageId, null))) await files.remove(imageId);
  }
}

/** Whether the bytes that come are sure to be the image's: of what lies on the web that is so if a digest is known. */
function isSure({ primaryFileId, md5, hashValue }: Image): boolean {
  return primaryFileId !== null || md5 !== null || hashValue !== null;
}
