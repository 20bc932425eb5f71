import { Injectable } from '@nestjs/common';
import { type Image, ImageNotFoundError } from '../../../modules/images/index.js';
import { type Actor, ProjectsService } from '../../../modules/tenancy/index.js';
import { imsArchOf } from './ims-image-arch.js';

/** Which images are records of this API: those of the actor's project, for administrators those of every project. */
@Injectable()
export class ImsShownImages {
  constructor(private readonly projects: ProjectsService) {}

  /**
   * Passes an image on that this API shows. One whose owner is no project is not shown, nor one of an architecture that
   * this API has no word for.
   * @throws ImageNotFoundError
   */
  async check(actor: Actor, id: string, image: Image | null): Promise<Image> {
    if (image && imsArchOf(image.architecture) !== null && (await this.isOfProject(actor, image))) return image;
    throw new ImageNotFoundError(id);
  }

  private async isOfProject(actor: Actor, { projectId }: Image): Promise<boolean> {
    if (projectId === null) return false;
    if (projectId === actor.projectId) return true;
    return actor.isAdmin && (await this.projects.find(projectId)) !== null;
  }
}
