import { Injectable } from '@nestjs/common';
import { ForbiddenError, NotFoundError } from '../../common/errors.js';
import { type ImageRoot, ImageRootsService, ImagesService, OfficialImagesService } from '../images/index.js';
import { Actor } from '../tenancy/index.js';
import { accountNumberOf } from './account-number.js';
import { CustomImagesRepository } from './custom-images.repository.js';
import { BUILDER_VERSION } from './custom-images.types.js';
import { OFFICIAL_SYSTEMS } from './official-os.js';

const AMI = /^ami-[0-9a-f]{17}$/;
const IMAGE_ARN = /^arn:[\w-]+:imagebuilder:([\w-]+):(\w+):image\/([\w.-]+)\/(\w+\.\w+\.\w+)(?:\/\d+)?$/;
/** Whom the images belong to that everybody may use. */
const EVERYBODY = 'aws';

/** Finds the images that configurations build upon. */
@Injectable()
export class ParentImages {
  constructor(
    private readonly images: ImagesService,
    private readonly roots: ImageRootsService,
    private readonly official: OfficialImagesService,
    private readonly customImages: CustomImagesRepository,
  ) {}

  /**
   * The image that a reference names: the project's own, one shared with it, or a public one; of several with one name
   * the newest. Null: none that the project could use.
   */
  async find(actor: Actor, region: string, reference: string): Promise<ImageRoot | null> {
    // A name is looked up in one project, also for those who see all of them.
    const member = Actor.user({ ...actor, roles: ['member'] });
    try {
      const imageId = AMI.test(reference)
        ? (await this.images.getByAmiId(member, reference)).id
        : await this.findByArn(member, region, reference);
      return imageId === null ? null : await this.roots.hold(member, imageId);
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof ForbiddenError) return null;
      throw error;
    }
  }

  private async findByArn(actor: Actor, region: string, arn: string): Promise<string | null> {
    const [, ofRegion, owner, name, version] = IMAGE_ARN.exec(arn) ?? [];
    if (ofRegion !== region || name === undefined || version === undefined) return null;
    // Every image is of the one version that there is.
    if (!matches(version, BUILDER_VERSION)) return null;
    if (owner === EVERYBODY) return this.findOfficial(actor, name);
    if (owner !== accountNumberOf(actor.projectId!)) return null;
    const own = await this.customImages.find(actor.projectId!, region, name);
    return own?.imageId ?? this.findByName(actor, name);
  }

  private async findOfficial(actor: Actor, name: string): Promise<string | null> {
    const found = (await this.official.list(actor, OFFICIAL_SYSTEMS))
      .map(({ image }) => image)
      .filter((image) => slugOf(image.name || image.id) === slugOf(name))
      .sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime());
    return found[0]?.id ?? null;
  }

  private async findByName(actor: Actor, name: string): Promise<string | null> {
    const { images } = await this.images.list(actor, {
      scope: { kind: 'owned', projectId: actor.projectId },
      filter: { names: [name], statuses: ['active'] },
      sort: [{ key: 'createdAt', direction: 'desc' }],
      limit: 1,
    });
    return images[0]?.id ?? null;
  }
}

/** `x` stands for any part of a version. */
function matches(pattern: string, version: string): boolean {
  const parts = version.split('.');
  return pattern.split('.').every((part, index) => part === 'x' || part === parts[index]);
}

/** A name as ARNs spell it. */
function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
