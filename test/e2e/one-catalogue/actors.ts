import { randomUUID } from 'node:crypto';
import { Client } from '../../contract/glance/wire.js';
import { basic, ForemanClient, given } from '../../contract/foreman/wire.js';
import { ImsClient } from '../../contract/ims/wire.js';
import { NovaClient } from '../../contract/nova/wire.js';
import { Client as ClusterClient, keyOf } from '../../contract/parallelcluster/wire.js';
import { ALPHA, BETA, type RunningKiln } from '../../support/kiln.js';
import { amiOf } from './model.js';

export const NAMES = ['alice', 'rita', 'bob', 'root'] as const;
export type Name = (typeof NAMES)[number];

/** Somebody who asks through every face. */
export interface Actor {
  readonly project: string;
  readonly admin: boolean;
  /** Whether it may change what its project has. */
  readonly writes: boolean;
  readonly token: string;
  readonly glance: Client;
  readonly nova: NovaClient;
  readonly ims: ImsClient;
  readonly cluster: ClusterClient;
  readonly foreman: ForemanClient;
  /** Numbers of Foreman's rows; `kiln` is the project's own compute resource. */
  readonly rows: Awaited<ReturnType<typeof given>>;
  /** What its builds start from: an AMI id of its project. */
  readonly parent: string;
}

/** Everybody, each with a credential of every kind. */
export async function everybody(kiln: RunningKiln): Promise<Record<Name, Actor>> {
  const parents: Readonly<Record<string, string>> = {
    [ALPHA]: await aParent(kiln, 'alice'),
    [BETA]: await aParent(kiln, 'bob'),
  };
  const of = async (name: Name, project: string, admin: boolean, writes: boolean): Promise<Actor> => {
    const token = await kiln.token(name);
    const foreman = new ForemanClient(kiln, basic(name, `s3cret-${name}`));
    return {
      project,
      admin,
      writes,
      token,
      glance: new Client(kiln, token),
      nova: new NovaClient(kiln, token),
      ims: new ImsClient(kiln),
      cluster: new ClusterClient(kiln, keyOf(name)),
      foreman,
      rows: await given(foreman),
      parent: parents[project]!,
    };
  };
  return {
    alice: await of('alice', ALPHA, false, true),
    rita: await of('rita', ALPHA, false, false),
    bob: await of('bob', BETA, false, true),
    root: await of('root', ALPHA, true, true),
  };
}

async function aParent(kiln: RunningKiln, user: string): Promise<string> {
  const { body } = await registerRoot(new ImsClient(kiln), await kiln.token(user), 'parent');
  return amiOf(body);
}

/** Registers an image of a root file system through IMS. */
export async function registerRoot(ims: ImsClient, token: string, name: string) {
  const folder = randomUUID();
  const path = await ims.upload('boot-images', `${folder}/rootfs`, `root file system of ${name}`, token);
  const artifacts = [{ type: 'application/vnd.cray.image.rootfs.squashfs', link: { type: 's3', path } }];
  const text = JSON.stringify({ version: '1.0', artifacts });
  const manifest = await ims.upload('boot-images', `${folder}/manifest.json`, text, token);
  return ims.post('/v3/images', { name, link: { type: 's3', path: manifest } }, token);
}
