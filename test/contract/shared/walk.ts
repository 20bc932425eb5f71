import { beforeAll, expect, it } from '@jest/globals';
import type { RunningKiln } from '../../support/kiln.js';

type User = 'root' | 'alice' | 'bob' | 'rita';

/** A request that is wrong in one way, and the status that tells so. */
interface Wrong {
  readonly status: number;
  readonly query?: string;
  /** A function makes it when it is needed. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One operation, and what it answers in each way of asking for it. */
export interface Walk {
  /** Makes a thing of alice's project, and gives what stands in the path for it; absent: the operation is about all. */
  readonly of?: () => Promise<readonly string[]>;
  /** Who may; by default alice, a member of the project. */
  readonly by?: 'root';
  /** What it never goes without. */
  readonly query?: string;
  /** One that nothing is wrong with. */
  readonly body?: () => Promise<unknown> | unknown;
  readonly success: number;
  /** What bob of another project gets; by default that it is not there, where it is about something. */
  readonly stranger?: number;
  /** What rita gets, who may only read in the project. */
  readonly reader: number;
  /** For nothing in the place of each part of the path; by default that it is not there. */
  readonly missing?: readonly number[];
  readonly malformed: Wrong;
  /** With another thing, where it takes one, or what has to be done first. */
  readonly conflicting?: Wrong &
    Pick<Walk, 'of'> & { readonly first?: (...path: readonly string[]) => Promise<unknown> };
}

export interface Question {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one request to a running Kiln; the path is whole. */
export type Send = (user: User, method: string, path: string, question: Question) => Promise<{ status: number }>;

/**
 * Tests that walk every operation of a face: it succeeds, is not there for another project, nor for who asks for nothing, is
 * denied to who may not, and refuses what is malformed or in conflict; and after all that it still succeeds.
 *
 * @param walks by method and path, as the document of the face has them
 * @param nothing stands in the path for what is not there
 */
export function walkOperations(
  kiln: () => RunningKiln,
  face: string,
  send: Send,
  walks: Readonly<Record<string, Walk>>,
  nothing: string,
): void {
  let documented: string[];
  beforeAll(async () => {
    const { paths } = (await (await fetch(`${kiln().url}/docs/openapi/${face}.json`)).json()) as { paths: object };
    documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  });

  it('are those of the document', () => {
    expect(Object.keys(walks).sort()).toEqual(documented.sort());
  });

  it.each(Object.keys(walks))('%s answers in every way', async (name) => {
    const walk = walks[name]!;
    const { of, by = 'alice', body, malformed, conflicting } = walk;
    const [method, pattern] = name.split(' ') as [string, string];
    const ask = async (user: User, path: readonly string[], wrong: Omit<Wrong, 'status'> = {}) => {
      const left = [...path];
      const filled = pattern.replaceAll(/\{\w+\}/g, () => encodeURIComponent(left.shift()!));
      const sent = 'body' in wrong ? wrong.body : body;
      const question = { body: typeof sent === 'function' ? await sent() : sent, headers: wrong.headers };
      return (await send(user, method, `${filled}${wrong.query ?? walk.query ?? ''}`, question)).status;
    };
    const thing = (await of?.()) ?? [];
    const other = conflicting ? ((await (conflicting.of ?? of)?.()) ?? []) : [];
    await conflicting?.first?.(...other);

    const answered = {
      stranger: await ask('bob', thing),
      reader: await ask('rita', thing),
      missing: await inOrder(thing, (_, at) => ask(by, thing.with(at, nothing))),
      malformed: await ask(by, thing, malformed),
      conflicting: conflicting && (await ask(by, other, conflicting)),
      success: await ask(by, thing),
    };

    expect(answered).toEqual({
      stranger: walk.stranger ?? (of ? 404 : walk.success),
      reader: walk.reader,
      missing: walk.missing ?? thing.map(() => 404),
      malformed: malformed.status,
      conflicting: conflicting?.status,
      success: walk.success,
    });
  });
}

async function inOrder<T>(items: readonly T[], use: (item: T, index: number) => Promise<number>): Promise<number[]> {
  const found = [];
  for (const [index, item] of items.entries()) found.push(await use(item, index));
  return found;
}
