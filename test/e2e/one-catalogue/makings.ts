import { randomUUID } from 'node:crypto';
import { stringify } from 'yaml';
import { eventually } from '../../support/eventually.js';
import { type Actor, registerRoot } from './actors.js';
import { type Making, type Reply, type Turn, VISIBILITIES } from './acts.js';

const makes = ({ catalogue, actor }: Turn): boolean => actor.writes && catalogue.hasRoom(actor.project);

export const MAKINGS: Record<string, Making> = {
  glanceCreate: {
    allowed: (turn) => makes(turn) && (turn.n % 4 !== 3 || turn.actor.admin),
    call: ({ actor, n }) =>
      actor.glance.ask('POST', '/v2/images', {
        name: `image ${n}`,
        visibility: VISIBILITIES[n % 4],
        disk_format: 'raw',
        container_format: 'bare',
        tags: ['born'],
        origin: 'glance',
      }),
    effect: ({ catalogue, actor, n }, { body }) =>
      catalogue.add({
        id: body.id,
        project: actor.project,
        name: `image ${n}`,
        visibility: VISIBILITIES[n % 4]!,
        tags: new Set(['born']),
        properties: { origin: 'glance' },
      }),
  },
  ...Object.fromEntries(
    ['v3', 'v2'].map((version): [string, Making] => [
      `imsCreate_${version}`,
      {
        allowed: makes,
        call: ({ actor, n }) =>
          actor.ims.post(`/${version}/images`, { name: `image ${n}`, metadata: { origin: 'ims' } }, actor.token),
        effect: ({ catalogue, actor, n }, { body }) =>
          catalogue.add({
            id: body.id,
            project: actor.project,
            name: `image ${n}`,
            hasFormats: false,
            properties: { origin: 'ims' },
          }),
      },
    ]),
  ),
  imsCreateOfArtifacts: {
    allowed: makes,
    call: ({ actor, n }) =>
      actor.writes
        ? registerRoot(actor.ims, actor.token, `image ${n}`)
        : actor.ims.post('/v3/images', { name: 'none' }, actor.token),
    effect: ({ catalogue, actor, n }, { body }) =>
      catalogue.add({
        id: body.id,
        project: actor.project,
        name: `image ${n}`,
        status: 'active',
        hasRoot: true,
        properties: { kiln_content: 'squashfs' },
      }),
  },
  clusterBuild: {
    allowed: makes,
    call: ({ actor, n }) => build(actor, n),
    effect: ({ catalogue, actor }, { body }) =>
      catalogue.add({
        id: body.image.id,
        project: actor.project,
        name: body.image.name,
        status: 'active',
        hasRoot: true,
        custom: body.imageId,
        properties: {
          origin: 'cluster',
          architecture: 'x86_64',
          kiln_content: 'squashfs',
          kiln_job_id: body.jobId,
          kiln_parent_image_id: body.image.kiln_parent_image_id,
        },
      }),
  },
};

/** Has an image built, and waits until it is; tells of the image what Glance does. */
async function build({ cluster, glance, parent }: Actor, n: number): Promise<Reply> {
  const imageId = `built-${randomUUID()}`;
  const imageConfiguration = stringify({
    Build: { InstanceType: 'm6i.large', ParentImage: parent },
    Image: { Name: `image ${n}`, Tags: [{ Key: 'origin', Value: 'cluster' }] },
  });
  const accepted = await cluster.build({ imageId, imageConfiguration });
  if (accepted.status !== 202) return accepted;
  const jobId = accepted.body.image.cloudformationStackArn.split('/').at(-1);
  await eventually(async () => {
    const { imageBuildStatus } = (await cluster.get(`/custom/${imageId}`)).body;
    if (imageBuildStatus !== 'BUILD_COMPLETE') throw new Error(`${imageId} is ${imageBuildStatus}`);
  });
  const [image] = (await glance.ask('GET', `/v2/images?kiln_job_id=${jobId}`)).body.images;
  return { status: 202, body: { imageId, jobId, image } };
}
