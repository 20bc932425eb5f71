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
const any =
  (...tests: Test[]): Test =>
  (difference) =>
    tests.some((test) => test(difference));
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
const isListed = (value: unknown, list: readonly unknown[]): boolean => list.includes(value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const bodyOf = ({ question }: Difference): unknown => {
  try {
    return JSON.parse(String(question.body));
  } catch {
    return undefined;
  }
};
/** What both could tell without having looked anything up. */
const body =
  (isWrong: (body: any) => boolean): Test =>
  (difference) => {
    const value = bodyOf(difference);
    return !isObject(value) || isWrong(value);
  };
const changes = (difference: Difference): number => {
  const body = bodyOf(difference);
  return Array.isArray(body) ? body.length : 0;
};
const METHODS = ['glance-direct', 'web-download', 'copy-image', 'glance-download'];
/** Hosts and ports that neither may download from, and addresses that are none. */
const BAD_SOURCE = /^(?!https?:\/\/[^/]+:(?!1\/)\d+\/)/;
function isWrongImport({ method, stores, ...flags }: any): boolean {
  if (!isObject(method) || !isListed(method.name, METHODS)) return true;
  if (stores !== undefined && !Array.isArray(stores)) return true;
  if (Object.values(flags).some((flag) => typeof flag !== 'boolean')) return true;
  if (method.name === 'web-download') return typeof method.uri !== 'string' || BAD_SOURCE.test(method.uri);
  return method.name === 'glance-download' && !/^[0-9a-f-]{36}$/.test(String(method.glance_image_id));
}
const REPEATED = /[?&]([^=&]+)=[^&]*&(.*&)?\1=/;
const TOO_LONG = /\/x{256}$/;

/**
 * Where Kiln answers otherwise than Glance 25.1, and means it. Whatever else differs fails the comparison, so an entry must
 * say what exactly was asked and answered: one that fits more could hide a fault.
 */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    reason: 'every answer has a request id, also those that Glance gives before it makes one',
    applies: ({ at, reference, kiln }) =>
      at === 'header x-openstack-request-id' && reference === undefined && kiln === 'req-<id>',
  },
  {
    reason: 'who names no type gets the page that clients parse, as with */*',
    applies: ({ at, question, kiln, referenceStatus }) =>
      at === 'header content-type' &&
      question.headers.accept === undefined &&
      referenceStatus >= 400 &&
      kiln === 'text/html; charset=utf-8',
  },
  {
    reason: 'the answer to a HEAD has the type that its page would have',
    applies: ({ at, question, referenceStatus }) =>
      at === 'header content-type' && question.method === 'HEAD' && referenceStatus >= 400,
  },
  {
    reason: "a fault of Glance's own is a mistake of the client's, told as such",
    applies: status(500, 400),
  },
  {
    reason: 'Glance names its private stores once one of them was used',
    applies: ({ at, reference, kiln }) =>
      at === 'header openstack-image-store-ids' &&
      String(reference).replace(',os_glance_staging_store,os_glance_tasks_store', '') === kiln,
  },
  {
    reason: 'Glance loses the length of what comes from its cache',
    applies: all(operation('download data'), at('header content-length'), ({ reference }) => reference === undefined),
  },
  {
    reason: 'links keep every one of repeated parameters',
    applies: all(operation('list images'), at('body.first', 'body.next'), path(REPEATED)),
  },
  {
    reason: 'of several faults in one patch another one is told',
    applies: all(
      operation('patch an image'),
      status([400, 403, 409, 413], [400, 403, 409, 413]),
      (difference) => changes(difference) > 1,
    ),
  },
  {
    reason: 'what can be no member is told before anything is looked up',
    applies: any(
      all(
        operation('add a member'),
        status([200, 403, 404, 409], 400),
        body(({ member }) => typeof member !== 'string' || member === '' || member.length > 255),
      ),
      all(operation('show a member', 'remove a member', 'answer a share'), status([403, 404], 400), path(TOO_LONG)),
    ),
  },
  {
    reason: 'what can be no answer to a share is told before anything is looked up',
    applies: all(
      operation('answer a share'),
      status([403, 404], 400),
      body((answer) => !isListed(answer.status, ['pending', 'accepted', 'rejected'])),
    ),
  },
  {
    reason: 'what can be no tag is told before anything is looked up',
    applies: all(operation('add and remove tags'), status([403, 404], 400), path(TOO_LONG)),
  },
  {
    reason: 'a tag may hold a slash',
    applies: all(operation('add and remove tags'), path(/%2F/), status(404, [204, 400, 403, 405])),
  },
  {
    reason: 'the range of an image without data is not looked at',
    applies: all(
      operation('download data'),
      status([400, 416, 500], 204),
      ({ question }) => question.headers.range !== undefined || question.headers['content-range'] !== undefined,
    ),
  },
  {
    reason: 'who may change nothing is told so even when nothing is changed',
    applies: all(operation('patch an image'), status(200, 403), (difference) => changes(difference) === 0),
  },
  {
    reason: 'what can be no size is told before the image is looked up',
    applies: all(operation('patch an image'), status(404, 400), (difference) => {
      const listed: unknown = bodyOf(difference);
      const isWrong = (change: any): boolean =>
        /^\/min_(ram|disk)$/.test(change?.path ?? change?.replace ?? change?.add) &&
        !(change.value >= 0 && change.value < 2 ** 31);
      return Array.isArray(listed) && listed.some(isWrong);
    }),
  },
  {
    reason: 'an image is not given away while its data arrives',
    applies: all(operation('patch an image'), status(200, 409), ({ question }) =>
      String(question.body).includes('"/owner"'),
    ),
  },
  {
    reason: 'what is staged stays when something else is refused',
    applies: all(
      operation('see what a refusal left'),
      any(
        all(at('body.status'), ({ reference, kiln }) => reference === 'queued' && kiln === 'uploading'),
        all(at('body.size'), ({ reference }) => reference === null),
      ),
    ),
  },
  {
    reason: 'locations are not to be written here, whatever is written to whichever image',
    applies: all(operation('patch an image', 'patch locations'), status([400, 404], 403), ({ question }) =>
      String(question.body).includes('"/locations'),
    ),
  },
  {
    reason: 'a declared property that is null is as good as none',
    applies: ({ at, reference, kiln }) =>
      /\.(kernel_id|ramdisk_id)$/.test(at) && reference === null && kiln === undefined,
  },
  {
    reason: 'the contract has whole schemas of members and tasks where Glance leaves parts of them out',
    applies: all(
      operation('read a schema'),
      path(/\/(members?|tasks?)$/),
      at(
        'body.additionalProperties',
        'body.links.length',
        'body.properties.first',
        'body.properties.next',
        'body.properties.members.items.additionalProperties',
        'body.properties.tasks.items.additionalProperties',
      ),
      ({ at: place, reference }) => reference === undefined || place.endsWith('length'),
    ),
  },
  {
    reason: 'newer releases have one type of tasks more',
    applies: all(
      operation('read a schema'),
      at('body.properties.type.enum.length', 'body.properties.tasks.items.properties.type.enum.length'),
      ({ reference, kiln }) => reference === 2 && kiln === 3,
    ),
  },
  {
    reason: 'where a store keeps its files is not told',
    applies: all(
      operation('read info about stores/detail'),
      (difference) => difference.at.startsWith('body.stores[].properties.') && difference.kiln === undefined,
    ),
  },
  {
    reason: 'newer releases tell the weight of a store',
    applies: all(
      operation('read info about stores/detail'),
      at('body.stores[].weight'),
      ({ reference }) => reference === undefined,
    ),
  },
  {
    reason: 'stores are not to be written, to whichever image',
    applies: all(operation('patch an image'), status([200, 404, 409], 403), ({ question }) =>
      String(question.body).includes('"/stores"'),
    ),
  },
  {
    reason: 'tasks of an image look as tasks do, where Glance shows rows of its database',
    applies: all(operation('list tasks of an image'), ({ at: place, reference, kiln }) => {
      const name = /^body\.tasks\[\]\.(\w+)$/.exec(place)?.[1];
      if (isListed(name, ['deleted', 'deleted_at'])) return kiln === undefined;
      if (isListed(name, ['self', 'schema'])) return reference === undefined;
      return isListed(name, ['created_at', 'updated_at', 'expires_at']) && kiln === `${String(reference)}Z`;
    }),
  },
  {
    reason: 'a task tells what was decided where nobody had said it',
    applies: all(
      operation('list tasks of an image', 'show a task'),
      ({ at: place, reference }) =>
        /\.input\.import_req\.(all_stores_must_succeed|stores)$/.test(place) && reference === undefined,
    ),
  },
  {
    reason: 'a task names the stores where all of them were asked for',
    applies: all(
      operation('list tasks of an image', 'show a task'),
      ({ at: place, reference, kiln }) =>
        /\.input\.import_req\.all_stores$/.test(place) && reference === true && kiln === undefined,
    ),
  },
  {
    reason: 'what an object does not say is left out, also when it is read back',
    applies: ({ at, reference, kiln }) =>
      /^body\.(objects\[\]\.)?(properties|required)$/.test(at) &&
      kiln === undefined &&
      ['{}', '[]'].includes(JSON.stringify(reference)),
  },
  {
    reason: 'an empty segment is a name that nobody has, whatever the method',
    applies: all(path(/^\/v2.*(\/\/|\/$)/), status([200, 201, 204, 400, 403, 405], 404)),
  },
  {
    reason: 'what cannot be imported is told before the image is looked up',
    applies: all(operation('import'), status([403, 404, 409], 400), body(isWrongImport)),
  },
  {
    reason: "the name of a property in a dictionary is its key, and not among the property's own members",
    applies: ({ at, reference, kiln }) =>
      kiln === undefined && /^body\.properties\.([^.]+)\.name$/.exec(at)?.[1] === reference,
  },
  {
    reason: 'the address of the schema of objects begins with a slash, as every other',
    applies: all(
      operation('list objects'),
      at('body.schema'),
      ({ reference, kiln }) => kiln === `/${String(reference)}`,
    ),
  },
  {
    reason: 'a task is deleted by nobody, whoever asks',
    applies: all(operation('delete a task'), status(403, 405)),
  },
  {
    reason: 'a path is there for every method, which may be the wrong one',
    applies: all(operation('use a wrong method'), path(/^\/v2\/(images\/[^/]+\/tasks|info\/usage)$/), status(404, 405)),
  },
  {
    reason: 'the address of the API is told without a token, as the versions are',
    applies: all(operation('discover'), path(/^\/v2$/), status(401, 302)),
  },
  {
    reason: 'Glance breaks off over the older form of a range that is of another size',
    applies: all(operation('download data'), status(0, 416), ({ question }) => 'content-range' in question.headers),
  },
  {
    reason: 'what can be no target is told before it is asked who may',
    applies: all(
      operation('clear the cache'),
      status(403, 400),
      ({ question }) => question.headers['x-image-cache-clear-target'] === 'x',
    ),
  },
  {
    reason: 'what can be no list of tags is told before the namespace is looked up',
    applies: all(
      operation('replace the metadef tags'),
      status([403, 404], 400),
      body(({ tags }) => !Array.isArray(tags) || new Set(tags.map(({ name }) => name)).size < tags.length),
    ),
  },
  {
    reason: 'an import that failed names the stores that it left without data, also those it had not come to',
    applies: all(
      operation('see what an import came to'),
      at('body.os_glance_failed_import'),
      ({ reference, kiln }) => reference === '' && /^(fast|archive|fast,archive)$/.test(String(kiln)),
    ),
  },
  {
    reason: 'why a task failed is told in words of its own',
    applies: all(
      operation('show a task', 'list tasks of an image'),
      at('body.message', 'body.tasks[].message'),
      ({ reference, kiln }) => ![reference, kiln].some((text) => text === '' || /^Copied/.test(String(text))),
    ),
  },
  {
    reason: 'an import that failed leaves nothing behind of what it was to do',
    applies: ({ at, kiln }) => /os_glance_(importing_to_stores|failed_import)$/.test(at) && kiln === '',
  },
  {
    reason: 'the state of health is one word',
    applies: all(
      operation('discover'),
      path(/^\/healthcheck$/),
      at('body', 'header content-type', 'header content-length'),
    ),
  },
  {
    reason: 'who may not see an image is not told that it exists',
    applies: all(operation('list images'), path(/[?&]marker=/), status(403, 400)),
  },
  {
    reason: 'an image is found by its id in any case',
    applies: all(
      path(/\/[0-9A-F]{8}-[0-9A-F-]{27}(\/|\?|$)/),
      ({ referenceStatus, kilnStatus }) => referenceStatus === 404 && kilnStatus < 500,
    ),
  },
  {
    reason: 'an address is percent-encoded',
    applies: ({ at, reference, kiln }) =>
      at === 'header location' && decodeURIComponent(String(kiln)) === String(reference),
  },
];
