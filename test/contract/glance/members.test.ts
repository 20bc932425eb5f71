// The exchanges are those of the Image API v2 reference ("Sharing") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Client, clients } from './wire.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(() => kiln?.stop());

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const members = (id: string, member?: string) => `/v2/images/${id}/members${member === undefined ? '' : `/${member}`}`;
const add = (client: Client, id: string, member: unknown = BETA) => client.ask('POST', members(id), { member });
const answerTo = (client: Client, id: string, status: unknown, member = BETA) =>
  client.ask('PUT', members(id, member), { status });

describe('sharing an image', () => {
  it('lets the other project see it, and list it once it has accepted', async () => {
    const { id } = await alice.create({ name: 'shared' });
    expect(of(await bob.show(id))).toEqual([404]);

    const added = await add(alice, id);
    const member = {
      member_id: BETA,
      image_id: id,
      status: 'pending',
      created_at: expect.stringMatching(TIME),
      updated_at: expect.stringMatching(TIME),
      schema: '/v2/schemas/member',
    };
    expect([added.status, added.body]).toEqual([200, member]);
    expect(of(await bob.show(id))).toEqual([200]);
    expect(await bob.names()).not.toContain('shared');
    expect(await bob.names('member_status=pending&visibility=shared')).toContain('shared');

    const accepted = await answerTo(bob, id, 'accepted');
    expect([accepted.status, accepted.body]).toEqual([200, { ...member, status: 'accepted' }]);
    expect(await bob.names()).toContain('shared');

    expect(of(await answerTo(bob, id, 'rejected'), await bob.show(id))).toEqual([200, 200]);
    expect(await bob.names()).not.toContain('shared');
    expect(await bob.names('member_status=all')).toContain('shared');

    expect(of(await alice.ask('DELETE', members(id, BETA)), await bob.show(id))).toEqual([204, 404]);
    expect((await add(alice, id)).body).toMatchObject({ status: 'pending' });
  });

  it('shows all members to the owner, and to a member itself', async () => {
    const { id } = await alice.create();
    await add(alice, id, BETA);
    await add(alice, id, 'someone else');
    const seen = async (client: Client) => {
      const { status, body } = await client.ask('GET', members(id));
      return [status, body.schema, body.members.map((each: { member_id: string }) => each.member_id).sort()];
    };

    expect(await seen(alice)).toEqual([200, '/v2/schemas/members', [BETA, 'someone else']]);
    expect(await seen(rita)).toEqual([200, '/v2/schemas/members', [BETA, 'someone else']]);
    expect(await seen(root)).toEqual([200, '/v2/schemas/members', [BETA, 'someone else']]);
    expect(await seen(bob)).toEqual([200, '/v2/schemas/members', [BETA]]);
    const show = (client: Client, member: string) => client.ask('GET', members(id, encodeURIComponent(member)));
    expect(of(await show(alice, BETA), await show(bob, BETA), await show(bob, 'someone else'))).toEqual([
      200, 200, 404,
    ]);
  });

  it('is decided on by the other project alone', async () => {
    const { id } = await alice.create();
    await add(alice, id, BETA);
    await add(alice, id, 'third');

    expect(of(await answerTo(alice, id, 'accepted'), await answerTo(rita, id, 'accepted'))).toEqual([403, 403]);
    expect(of(await answerTo(bob, id, 'accepted', 'third'), await answerTo(alice, id, 'accepted', 'nobody'))).toEqual([
      404, 404,
    ]);
    expect(of(await answerTo(root, id, 'accepted'))).toEqual([200]);
  });

  it('is done and undone by the owner alone', async () => {
    const { id } = await alice.create();
    await add(alice, id);

    expect(of(await add(bob, id, 'x'), await add(rita, id, 'x'), await bob.ask('DELETE', members(id, BETA)))).toEqual([
      403, 403, 403,
    ]);
    expect(of(await add(alice, id), await alice.ask('DELETE', members(id, 'nobody')))).toEqual([409, 404]);
    expect(of(await add(alice, randomUUID()), await add(bob, (await alice.create()).id))).toEqual([404, 404]);
  });

  it.each(['private', 'community', 'public'])('is nothing for %s images', async (visibility) => {
    const { id } = await root.create({ visibility });

    expect(
      of(
        await root.ask('GET', members(id)),
        await add(root, id),
        await answerTo(root, id, 'accepted'),
        await root.ask('DELETE', members(id, BETA)),
        await root.ask('GET', members(id, BETA)),
      ),
    ).toEqual([403, 403, 403, 403, 404]);
  });

  it('ends while the image is private, and the members come back with it', async () => {
    const { id } = await alice.create();
    await add(alice, id);
    const make = (value: string) => alice.patch(id, [{ op: 'replace', path: '/visibility', value }]);

    await make('private');
    expect(of(await bob.show(id))).toEqual([404]);
    await make('shared');
    expect(of(await bob.show(id))).toEqual([200]);
  });

  it.each([
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['{}', 400],
    ['{"member": ""}', 400],
    ['{"member": 5}', 400],
    ['{"member": null}', 400],
    ['{"member": "a\\u0000"}', 400],
    [`{"member": "${'x'.repeat(256)}"}`, 400],
  ])('is not asked for by %s', async (body, status) => {
    const { id } = await alice.create();

    expect((await alice.ask('POST', members(id), body)).status).toBe(status);
  });

  it.each(['{}', '[]', '{', '{"status": "maybe"}', '{"status": 5}', '{"status": null}'])(
    'is not answered by %s',
    async (body) => {
      const { id } = await alice.create();
      await add(alice, id);

      expect((await bob.ask('PUT', members(id, BETA), body)).status).toBe(400);
    },
  );

  it('has a quota', async () => {
    const { id } = await alice.create();
    for (let index = 0; index < 128; index += 1) await add(alice, id, `m${index}`);

    expect(of(await add(alice, id, 'one more'), await add(alice, id, 'm5'))).toEqual([413, 409]);
    expect((await alice.ask('GET', members(id))).body.members).toHaveLength(128);
  });

  it('is kept from the owner itself no more than from others', async () => {
    const { id } = await alice.create();

    expect((await add(alice, id, ALPHA)).body).toMatchObject({ member_id: ALPHA, status: 'pending' });
    expect(await alice.names(`id=${id}&member_status=all`)).toHaveLength(1);
  });
});
