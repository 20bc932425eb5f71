import type { Difference } from './lockstep.js';

export interface KnownDifference {
  readonly reason: string;
  readonly applies: (difference: Difference) => boolean;
}

type Test = (difference: Difference) => boolean;

const all =
  (...tests: Test[]): Test =>
  (difference) =>
    tests.every((test) => test(difference));
const at =
  (...places: string[]): Test =>
  (difference) =>
    places.includes(difference.at);
const path =
  (pattern: RegExp): Test =>
  ({ question }) =>
    pattern.test(question.path);
const operation =
  (...names: string[]): Test =>
  ({ question }) =>
    names.includes(question.operation);
/** The statuses of the two; a list for either. */
const status =
  (reference: number | readonly number[], kiln: number | readonly number[]): Test =>
  ({ at, referenceStatus, kilnStatus }) =>
    at === 'status' && [reference].flat().includes(referenceStatus) && [kiln].flat().includes(kilnStatus);
const changes = ({ question }: Difference): number => {
  const body: unknown = JSON.parse(String(question.body));
  return Array.isArray(body) ? body.length : 0;
};

/** Where Kiln answers otherwise than Glance 25.1, and means it. Whatever else differs fails the comparison. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    reason: 'every answer has a request id, also those that Glance gives before it makes one',
    applies: (difference) => difference.at === 'header x-openstack-request-id' && difference.reference === undefined,
  },
  {
    reason: 'who names no type gets the page that clients parse, as with */*',
    applies: ({ at, question, referenceStatus }) =>
      at === 'header content-type' && question.headers.accept === undefined && referenceStatus >= 400,
  },
  {
    reason: "a fault of Glance's own (500) is a mistake of the client's, told as such",
    applies: ({ at, referenceStatus, kilnStatus }) =>
      at === 'status' && referenceStatus === 500 && kilnStatus >= 400 && kilnStatus < 500,
  },
  {
    reason: 'Glance names its private stores once one of them was used',
    applies: ({ at, reference, kiln }) =>
      at === 'header openstack-image-store-ids' &&
      String(reference).replace(',os_glance_staging_store,os_glance_tasks_store', '') === kiln,
  },
  {
    reason: 'other minors are served than 25.1 knew',
    applies: all(operation('discover'), (difference) => difference.at.startsWith('body.versions')),
  },
  {
    reason: 'Glance loses the length of what comes from its cache',
    applies: all(operation('download data'), at('header content-length')),
  },
  {
    reason: 'links keep every one of repeated parameters',
    applies: all(operation('list images'), at('body.first', 'body.next'), path(/[?&]([^=&]+)=[^&]*&(.*&)?\1=/)),
  },
  {
    reason: 'of several faults in one patch another one is told',
    applies: all(
      operation('patch an image'),
      status([400, 403, 409, 413], [400, 403, 409, 413]),
      (d) => changes(d) > 1,
    ),
  },
  {
    reason: 'what cannot be a member, its status or a tag is told before anything is looked up',
    applies: all(
      operation('add a member', 'answer a share', 'show a member', 'remove a member', 'add and remove tags'),
      status([200, 403, 404, 409], 400),
    ),
  },
  {
    reason: 'a tag may hold a slash',
    applies: all(operation('add and remove tags'), path(/%2F/), status(404, [204, 403, 404, 405])),
  },
  {
    reason: 'the range of an image without data is not looked at',
    applies: all(operation('download data'), status([400, 416, 500], 204)),
  },
  {
    reason: 'who may change nothing is told so even when nothing is changed',
    applies: all(operation('patch an image'), status(200, 403), (difference) => changes(difference) === 0),
  },
  {
    reason: 'locations are not to be written here, whatever is written',
    applies: all(path(/\/v2\/images\/[^/]+$/), status([400, 404], 403), ({ question }) =>
      String(question.body).includes('"/locations'),
    ),
  },
  {
    reason: 'an empty raw disk has a size',
    applies: (difference) =>
      difference.at.endsWith('virtual_size') && difference.reference === null && difference.kiln === 0,
  },
  {
    reason: 'the page of the contract has it so; newer releases do',
    applies: all(operation('read a schema'), path(/(members?|tasks?)$/), (difference) =>
      /additionalProperties$|links|first$|next$|expires_at|readOnly$|type\.enum/.test(difference.at),
    ),
  },
  {
    reason: 'where a store keeps its files is not told',
    applies: all(operation('read info about stores/detail'), (difference) => difference.at.includes('properties')),
  },
  {
    reason: 'an empty segment is a name that nobody has, whatever the method',
    applies: all(path(/\/\/|\/$/), status([200, 201, 204, 400, 403, 404, 405], 404)),
  },
  {
    reason: 'what cannot be asked is told before the image or the namespace is looked up',
    applies: all(
      operation('import', 'create a namespace', 'associate a resource type'),
      status([201, 403, 404, 409], 400),
    ),
  },
  {
    reason: 'a task is deleted by nobody, whoever asks',
    applies: all(operation('delete a task'), status(403, 405)),
  },
  {
    reason: 'an import that failed leaves nothing behind of what it was to do',
    applies: (difference) => /os_glance_(importing_to_stores|failed_import)$/.test(difference.at) && !difference.kiln,
  },
  {
    reason: 'the state of health is one word',
    applies: all(operation('discover'), path(/healthcheck/)),
  },
  {
    reason: 'who may not see an image is not told that it exists',
    applies: all(operation('list images'), path(/[?&]marker=/), status(403, 400)),
  },
  {
    reason: 'an image is found by its id in any case',
    applies: all(path(/\/[0-9A-F]{8}-[0-9A-F-]{27}(\/|\?|$)/), (difference) => difference.referenceStatus === 404),
  },
  {
    reason: 'an address is percent-encoded',
    applies: ({ at, reference, kiln }) =>
      at === 'header location' && decodeURIComponent(String(kiln)) === String(reference),
  },
];
