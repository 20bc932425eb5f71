// What the catalogue must be, held in memory: the rules once, for all faces.
import type { Actor } from './actors.js';

/** As many images as a project may have, beside the one that its builds start from. */
export const LIMIT = 4;

/** An image, whoever made it. */
export interface Image {
  readonly id: string;
  readonly project: string;
  name: string;
  status: 'queued' | 'active' | 'deactivated';
  visibility: 'private' | 'shared' | 'community' | 'public';
  protected: boolean;
  /** Glance takes bytes only where it was said what they are. */
  hasFormats: boolean;
  /** Only what has a root file system can be built upon. */
  readonly hasRoot: boolean;
  /** The ParallelCluster image that stands for it; null: none. */
  custom: string | null;
  tags: Set<string>;
  properties: Record<string, string>;
  members: Map<string, 'pending' | 'accepted' | 'rejected'>;
  life: 'here' | 'deleted' | 'purged';
}

/** What Foreman knows: that a project uses an image. It may outlive the image. */
export interface Binding {
  readonly id: number;
  readonly project: string;
  readonly architecture: Architecture;
  imageId: string;
  name: string;
}

export type Architecture = 'x86_64' | 'aarch64';

export class Catalogue {
  readonly images: Image[] = [];
  bindings: Binding[] = [];

  hasRoom(project: string): boolean {
    return this.images.filter((image) => image.project === project && image.life === 'here').length < LIMIT;
  }

  add(image: Pick<Image, 'id' | 'project'> & Partial<Image>): void {
    this.images.push({
      name: '',
      status: 'queued',
      visibility: 'private',
      protected: false,
      hasFormats: true,
      hasRoot: false,
      custom: null,
      tags: new Set(),
      properties: {},
      members: new Map(),
      life: 'here',
      ...image,
    });
  }

  bindingOf({ id }: Image, project: string): Binding | undefined {
    return this.bindings.find((binding) => binding.imageId === id && binding.project === project);
  }

  /** Another project's binding keeps no image from its owner. */
  isPinned(image: Image): boolean {
    return this.bindingOf(image, image.project) !== undefined;
  }
}

export const OFFICIAL = 'kiln_official_os';

export const amiOf = ({ id }: Pick<Image, 'id'>): string => `ami-${id.replaceAll('-', '').slice(0, 17)}`;
export const architectureOf = ({ properties }: Image): Architecture =>
  (properties.architecture as Architecture | undefined) ?? 'x86_64';
export const isOfKiln = (property: string): boolean => property.startsWith('kiln_');

const isOpen = ({ visibility }: Image): boolean => visibility === 'public' || visibility === 'community';
const isGranted = (project: string, image: Image): boolean =>
  project === image.project || isOpen(image) || (image.visibility === 'shared' && image.members.has(project));

export const sees = (actor: Actor, image: Image): boolean =>
  image.life === 'here' && (actor.admin || isGranted(actor.project, image));
export const mayChange = (actor: Actor, image: Image): boolean =>
  sees(actor, image) && (actor.admin || (actor.writes && actor.project === image.project));
/** Whether the project could use the bytes; who administers all of them gets no more here. */
export const couldUse = ({ project }: Actor, image: Image): boolean =>
  image.life === 'here' && image.status === 'active' && isGranted(project, image);

/** IMS shows what a project has, and nothing of others. */
export const imsShows = (actor: Actor, image: Image): boolean =>
  image.life === 'here' && (actor.admin || actor.project === image.project);
export const imsChanges = (actor: Actor, image: Image): boolean => imsShows(actor, image) && mayChange(actor, image);
export const holdsDeleted = (actor: Actor, image: Image): boolean =>
  image.life === 'deleted' && (actor.admin || actor.project === image.project);

/** A ParallelCluster image is looked up in one project, whoever asks. */
export const customShows = (actor: Actor, image: Image): boolean =>
  image.custom !== null && image.life === 'here' && actor.project === image.project;

/** Foreman binds what a project could use, once, to an architecture that it may be of. */
export const mayBind = (actor: Actor, catalogue: Catalogue, image: Image, architecture: Architecture): boolean =>
  actor.writes &&
  couldUse(actor, image) &&
  catalogue.bindingOf(image, actor.project) === undefined &&
  (image.properties.architecture ?? architecture) === architecture;
