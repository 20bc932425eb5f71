import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KilnError } from '../../../src/common/errors.js';
import type { Artifact } from '../../../src/modules/artifacts/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';

let kiln: Catalogue;
beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

const body = (content: Buffer) => Readable.from([content], { objectMode: false });

describe('removing the one thing alive that refers to a file', () => {
  it('stops charging for it, although something deleted refers to it still', async () => {
    const actor = await kiln.actor();
    const content = Buffer.alloc(1000, 3);
    const { artifact, file } = await kiln.artifacts.put(actor, { bucket: 'b', key: 'k' }, body(content), {});
    await kiln.artifacts.reference(file.id);
    await kiln.artifacts.discharge(file.id);
    expect(await kiln.bytes(actor)).toEqual({ ledger: 1000, files: 1000 });

    await kiln.artifacts.delete(actor, artifact);

    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    expect((await kiln.artifacts.getFile(file.id)).referenceCount).toBe(1);
  });

  it('stops charging for it when other bytes come in its place', async () => {
    const actor = await kiln.actor();
    const address = { bucket: 'b', key: 'k' };
    const { file } = await kiln.artifacts.put(actor, address, body(Buffer.alloc(1000, 3)), {});
    await kiln.artifacts.reference(file.id);
    await kiln.artifacts.discharge(file.id);

    await kiln.artifacts.put(actor, address, body(Buffer.alloc(10, 4)), {});

    expect(await kiln.bytes(actor)).toEqual({ ledger: 10, files: 10 });
  });
});

/** Pseudo-random, and the same for the same seed: a failure can be repeated. */
function dice(seed: string): (sides: number) => number {
  let rolls = 0;
  return (sides) => createHash('sha256').update(`${seed}/${rolls++}`).digest().readUInt32BE() % sides;
}

/** What a user of files remembers: the references it holds, and which of them count. */
interface Model {
  readonly sizes: Map<string, number>;
  /** File ids, once for each reference of its kind that is not an address'. */
  readonly charged: string[];
  readonly uncharged: string[];
  readonly live: Artifact[];
  readonly deleted: Artifact[];
}

function take<T>(from: T[], roll: (sides: number) => number): T | undefined {
  return from.splice(roll(Math.max(from.length, 1)), 1)[0];
}

/** What the project should pay for: each file once that anything alive refers to. */
function expectedBytes({ sizes, charged, live }: Model): number {
  const paid = new Set([...charged, ...live.map(({ storedFileId }) => storedFileId)]);
  return [...paid].reduce((sum, id) => sum + sizes.get(id)!, 0);
}

async function step(actor: Actor, model: Model, roll: (sides: number) => number): Promise<string> {
  const { artifacts } = kiln;
  const { sizes, charged, uncharged, live, deleted } = model;
  const address = { bucket: 'b', key: `k${roll(5)}` };
  const known = [...charged, ...uncharged, ...[...live, ...deleted].map(({ storedFileId }) => storedFileId)];
  const anyFile = known[roll(Math.max(known.length, 1))];
  const kinds = [
    'store',
    'put',
    'attach',
    'reference',
    'discharge',
    'charge',
    'unreference',
    'purge',
    'moveToDeleted',
    'restore',
    'remove',
    'delete',
  ];
  const kind = kinds[roll(kinds.length)]!;
  const content = Buffer.alloc(1 + roll(400), roll(256));
  switch (kind) {
    case 'store': {
      const file = await artifacts.storeFile(actor.projectId, body(content), { charge: true });
      await artifacts.reference(file.id);
      sizes.set(file.id, file.sizeBytes);
      charged.push(file.id);
      break;
    }
    case 'put': {
      const { artifact, file } = await artifacts.put(actor, address, body(content), {});
      sizes.set(file.id, file.sizeBytes);
      const replaced = live.findIndex(({ id }) => id === artifact.id);
      live.splice(replaced === -1 ? live.length : replaced, 1, artifact);
      break;
    }
    case 'attach':
      if (anyFile) live.push(await artifacts.attach(actor.projectId!, address, anyFile));
      break;
    case 'reference':
      if (!anyFile) break;
      await artifacts.reference(anyFile);
      charged.push(anyFile);
      break;
    case 'discharge': {
      const fileId = take(charged, roll);
      if (!fileId) break;
      await artifacts.discharge(fileId);
      uncharged.push(fileId);
      break;
    }
    case 'charge': {
      const fileId = uncharged[0];
      if (!fileId) break;
      await artifacts.charge(fileId);
      charged.push(uncharged.shift()!);
      break;
    }
    case 'unreference': {
      const fileId = take(charged, roll);
      if (!fileId) break;
      await kiln.uow.run(async () => {
        await artifacts.discharge(fileId);
        await artifacts.unreference(fileId);
      });
      break;
    }
    case 'purge': {
      const fileId = take(uncharged, roll);
      if (fileId) await artifacts.unreference(fileId);
      break;
    }
    case 'moveToDeleted': {
      const artifact = take(live, roll);
      if (artifact) deleted.push(await artifacts.moveToDeleted(artifact.id));
      break;
    }
    case 'restore': {
      const artifact = deleted[0];
      if (!artifact) break;
      live.push(await artifacts.move(artifact.id, artifact.movedFromKey!));
      deleted.shift();
      break;
    }
    case 'remove': {
      const artifact = take(roll(2) === 0 ? live : deleted, roll);
      if (artifact) await artifacts.remove(artifact.id);
      break;
    }
    case 'delete':
      await artifacts.delete(actor, address);
      live.splice(
        live.findIndex(({ key }) => key === address.key),
        1,
      );
  }
  return kind;
}

describe('the ledger, after anything that may happen to files', () => {
  it.each(['1', '2', '3', '4', '5', '6'])(
    'counts each file once that something alive refers to (seed %s)',
    async (seed) => {
      const roll = dice(seed);
      const limit = 3000;
      const actor = await kiln.actor('member', { storage_bytes: limit });
      const model: Model = { sizes: new Map(), charged: [], uncharged: [], live: [], deleted: [] };
      const history: string[] = [];
      for (let steps = 0; steps < 120; steps += 1) {
        // What is refused (a taken address, no room) must change nothing.
        const refusal = (error: unknown): string => {
          if (!(error instanceof KilnError)) throw error;
          return error.code;
        };
        history.push(await step(actor, model, roll).catch(refusal));
        const bytes = expectedBytes(model);
        expect({ ...(await kiln.bytes(actor)), history }).toEqual({ ledger: bytes, files: bytes, history });
        expect(bytes).toBeLessThanOrEqual(limit);
      }
      expect(new Set(history).size).toBeGreaterThan(8);
    },
  );
});
