import { type ComputePath, NOVA_MOUNT } from './compute-path.js';

/** Where the Image API of the same Kiln lies. */
const IMAGE_MOUNT = '/image';

/** Addresses in an answer: with the base and, if it has one, the project of the path that was asked. */
export class ComputeLinks {
  /** @param address scheme and authority under which the client reaches Kiln */
  constructor(
    private readonly address: string,
    private readonly asked: ComputePath,
  ) {}

  /** Of the API as a whole. */
  get root(): string {
    return this.address + NOVA_MOUNT;
  }

  /** Of something below the base: `images/detail`. */
  below(path: string): string {
    return `${this.root}/${this.asked.base ?? 'v2.1'}${this.ofProject}/${path}`;
  }

  /** The three links of an image. */
  ofImage(id: string) {
    return [
      ...this.ofResource(`images/${id}`),
      {
        rel: 'alternate',
        type: 'application/vnd.openstack.image',
        href: `${this.address}${IMAGE_MOUNT}/images/${id}`,
      },
    ];
  }

  /** The two links of a server; servers are not served here. */
  ofServer(id: string) {
    return this.ofResource(`servers/${encodeURIComponent(id)}`);
  }

  private ofResource(path: string) {
    return [
      { rel: 'self', href: this.below(path) },
      { rel: 'bookmark', href: `${this.root}${this.ofProject}/${path}` },
    ];
  }

  private get ofProject(): string {
    return this.asked.projectId === null ? '' : `/${this.asked.projectId}`;
  }
}
