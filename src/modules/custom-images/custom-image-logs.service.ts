import { Injectable } from '@nestjs/common';
import { JobLogsService, type LogExtent, type LogLine, type LogRange } from '../jobs/index.js';
import type { Actor } from '../tenancy/index.js';
import type { CustomImage } from './custom-image.entity.js';
import { CustomImageLogNotFoundError } from './custom-images.errors.js';
import { CustomImagesService } from './custom-images.service.js';
import { CUSTOM_IMAGES_FACE, type CustomImageView } from './custom-images.types.js';

/** Logs of the builds of custom images. Each build has one, named by what built it. */
@Injectable()
export class CustomImageLogsService {
  constructor(
    private readonly customImages: CustomImagesService,
    private readonly logs: JobLogsService,
  ) {}

  /**
   * The log of a build, and how much there is of it.
   * @throws CustomImageNotFoundError and what else `CustomImagesService.get` throws
   * @throws CustomImageLogNotFoundError nothing was logged yet, or it went with the build
   */
  async get(actor: Actor, region: string | undefined, name: string): Promise<CustomImageLog> {
    const view = await this.customImages.get(actor, region, name);
    const extent = view.job && (await this.logs.extent(actor, CUSTOM_IMAGES_FACE, view.job.id));
    if (!extent) throw new CustomImageLogNotFoundError(name);
    return { ...view, name: nameOf(view.record), extent };
  }

  /**
   * Some lines of a log. @throws what `get` throws, also where `logName` is not its name
   */
  async page(
    actor: Actor,
    region: string | undefined,
    name: string,
    logName: string,
    range: LogRange,
    limit: number,
  ): Promise<LogLine[]> {
    const { record, job } = await this.customImages.get(actor, region, name);
    if (!job || logName !== nameOf(record)) throw new CustomImageLogNotFoundError(name, logName);
    const lines = await this.logs.page(actor, CUSTOM_IMAGES_FACE, job.id, range, limit);
    const isThere = lines.length > 0 || (await this.logs.extent(actor, CUSTOM_IMAGES_FACE, job.id)) !== null;
    if (!isThere) throw new CustomImageLogNotFoundError(name);
    return lines;
  }
}

/** The log of a build: its name, how much there is of it, and whose it is. */
export interface CustomImageLog extends CustomImageView {
  readonly name: string;
  readonly extent: LogExtent;
}

/** As the reference's builder names it: the version of the image, and the number of the build. */
function nameOf({ version }: CustomImage): string {
  return `${version}/1`;
}
