import type { Actor } from './actors.js';
import type { Catalogue, Image } from './model.js';

export interface Turn {
  readonly catalogue: Catalogue;
  readonly actor: Actor;
  /** Whatever the act makes of it. */
  readonly n: number;
}

export interface Reply {
  readonly status: number;
  readonly body?: any;
}

/** Something that somebody does to have a new image: whether it must succeed, the call, and what is so afterwards. */
export interface Making {
  readonly allowed: (turn: Turn) => boolean;
  readonly call: (turn: Turn) => Promise<Reply>;
  readonly effect: (turn: Turn, reply: Reply) => void;
}

/** Something that somebody does to an image. */
export interface Change {
  readonly allowed: (turn: Turn, image: Image) => boolean;
  readonly call: (turn: Turn, image: Image) => Promise<Reply>;
  readonly effect: (image: Image, turn: Turn, reply: Reply) => void;
}

export const VISIBILITIES = ['private', 'shared', 'community', 'public'] as const;
export const key = (n: number): string => `key-${n % 3}`;
export const nothing = (): void => undefined;
