import { Dice } from '../../support/dice.js';
import { asJson } from './lockstep.js';
import type { Actor, Answer, Question } from './wire.js';

/** What the generator remembers of an image, told by the reference. */
interface Known {
  readonly id: string;
  readonly owner: Actor;
  status: string;
}

interface Draft {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly actor?: Actor;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is bytes. */
  readonly body?: unknown;
  readonly chunked?: boolean;
  readonly imports?: string;
}

export interface Surroundings {
  /** Ids of the projects alpha and beta. */
  readonly alpha: string;
  readonly beta: string;
  readonly stores: readonly string[];
  /** An address from which both services may download, ending in a slash. */
  readonly web: string;
}

const PATCH = 'application/openstack-images-v2.1-json-patch';
const OLD_PATCH = 'application/openstack-images-v2.0-json-patch';
const WORDS = ['one', 'two', 'three', 'Zwölf', 'with space', 'a,b', 'x:y', '"quoted"', '', '100%', 'a/b', '日本'];
const DISK_FORMATS = ['raw', 'raw', 'raw', 'qcow2', 'vmdk', 'iso', 'aki', null];
const CONTAINER_FORMATS = ['bare', 'bare', 'bare', 'ovf', 'docker', 'ami', null];
const VISIBILITIES = ['private', 'shared', 'community', 'public'];
const TIMES = ['2000-01-01T00:00:00Z', '2100-01-01T00:00:00+02:00', '2000-01-01', 'yesterday', ''];
const BAD_VALUES = [null, true, 7, -1, 1.5, 2 ** 31, '', 'true', 'x'.repeat(256), [], {}, ['a', 'a'], [1], { a: 'b' }];
const READ_ONLY = [
  ...['id', 'status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at'],
  ...['direct_url', 'self', 'file', 'schema', 'stores', 'locations'],
];
const RESERVED = ['location', 'deleted', 'deleted_at', 'os_glance_x', 'os_glance_import_task'];
const CUSTOM = ['os_distro', 'hw_disk_bus', 'kernel_id', 'architecture', 'x', 'y', 'ümlaut', 'a b', 'a/b', 'a~b'];
// Not by the last change: in Glance a change that is refused, or changes nothing, is one too.
const SORT_KEYS = ['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at'];
const SCHEMAS = [
  ...['image', 'images', 'member', 'members', 'task', 'tasks', 'nothing', 'metadefs/nothing'],
  ...['namespace', 'object', 'property', 'resource_type', 'tag'].flatMap((noun) => [
    `metadefs/${noun}`,
    `metadefs/${noun === 'property' ? 'properties' : `${noun}s`}`,
  ]),
];

/** A seeded, endless story of requests to the Image API; it listens to the answers, to ask about what is there. */
export class Story {
  private readonly dice: Dice;
  private readonly images: Known[] = [];
  private readonly gone: string[] = [];
  /** Ids that only the reference has chosen. */
  private readonly unlike = new Set<string>();
  private readonly tasks: string[] = [];
  private readonly namespaces: string[] = [];
  /** What must come next. */
  private readonly ahead: Draft[] = [];

  constructor(
    seed: number,
    private readonly around: Surroundings,
  ) {
    this.dice = new Dice(seed);
  }

  next(): Question {
    const draft = this.ahead.shift() ?? this.draft();
    const { operation, method, path, body } = draft;
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const accept = this.dice.chance(85) ? '*/*' : this.dice.pick(['application/json', 'text/plain', 'text/html', '']);
    const headers: Record<string, string> = { ...(accept === '' ? {} : { accept }), ...draft.headers };
    return {
      operation,
      actor: draft.actor ?? this.actor(),
      method,
      path,
      headers,
      body: bytes,
      chunked: draft.chunked,
      imports: draft.imports,
    };
  }

  /** Takes note of what the reference answered. */
  hear(question: Question, answer: Answer): void {
    const body = asJson(answer.body);
    if (body?.schema === '/v2/schemas/image') {
      const known = this.images.find(({ id }) => id === body.id);
      if (known) known.status = body.status;
      else this.images.push({ id: body.id, owner: question.actor, status: body.status });
      // An id that the services chose sorts differently, so the image may not stay.
      if (question.operation === 'create an image without id') {
        this.unlike.add(body.id);
        this.ahead.push({
          operation: 'delete an image',
          method: 'DELETE',
          path: `/v2/images/${body.id}`,
          actor: 'root',
        });
      }
    }
    const image = /^\/v2\/images\/([^/?]+)(.*)$/.exec(question.path);
    const ok = answer.status >= 200 && answer.status < 300;
    if (image && ok && question.method === 'DELETE' && image[2] === '') this.forget(image[1]!);
    if (image && ok && question.method !== 'GET') {
      const known = this.images.find(({ id }) => id === image[1]);
      if (known && image[2] === '/file') known.status = 'active';
      if (known && image[2] === '/stage') known.status = 'uploading';
      if (known && image[2] === '/import' && known.status !== 'active') known.status = 'active';
    }
    for (const task of body?.tasks ?? []) if (!this.tasks.includes(task.id)) this.tasks.push(task.id);
    if (body?.namespace !== undefined && ok && !this.namespaces.includes(body.namespace)) {
      this.namespaces.push(body.namespace);
    }
  }

  forget(id: string): void {
    const at = this.images.findIndex((image) => image.id === id);
    if (at >= 0) this.images.splice(at, 1);
    if (!this.unlike.has(id)) this.gone.push(id);
  }

  private draft(): Draft {
    // Enough to speak about, not so much that every list is long.
    if (this.images.length < 6) return this.create();
    if (this.images.length > 30) return this.deleteImage(this.dice.pick(this.images).id, 'root');
    return this.dice.weighted<() => Draft>([
      [12, () => this.create()],
      [14, () => this.list()],
      [8, () => ({ operation: 'show an image', method: 'GET', path: `/v2/images/${this.id()}` })],
      [16, () => this.patch()],
      [3, () => this.deleteImage(this.id())],
      [10, () => this.upload()],
      [8, () => this.download()],
      [5, () => this.tag()],
      [10, () => this.member()],
      [6, () => this.action()],
      [4, () => this.stage()],
      [8, () => this.import()],
      [3, () => this.info()],
      [3, () => ({ operation: 'read a schema', method: 'GET', path: `/v2/schemas/${this.dice.pick(SCHEMAS)}` })],
      [5, () => this.task()],
      [3, () => this.store()],
      [2, () => this.location()],
      [4, () => this.cache()],
      [10, () => this.metadef()],
      [3, () => this.discovery()],
      [4, () => this.wrongMethod()],
      [
        1,
        () => ({
          operation: 'ask for what is not',
          method: 'GET',
          path: this.dice.pick(['/v2/nothing', '/v2/images/a/b']),
        }),
      ],
    ])();
  }

  private actor(): Actor {
    return this.dice.weighted<Actor>([
      [30, 'root'],
      [40, 'alice'],
      [15, 'bob'],
      [9, 'rita'],
      [3, 'nobody'],
      [3, 'stale'],
    ]);
  }

  /** Somebody who may, more often than not. */
  private ownerOf(id: string): Actor {
    const owner = this.images.find((image) => image.id === id)?.owner;
    return owner !== undefined && this.dice.chance(65) ? owner : this.actor();
  }

  private id(status?: string): string {
    const wanted = status === undefined ? this.images : this.images.filter((image) => image.status === status);
    const live = wanted.length > 0 && this.dice.chance(85) ? wanted : this.images;
    return this.dice.weighted<() => string>([
      [90, () => this.dice.pick(live).id],
      [5, () => (this.gone.length > 0 ? this.dice.pick(this.gone) : this.dice.uuid())],
      [3, () => this.dice.uuid()],
      [2, () => this.dice.pick(['x', '%20', 'null', this.dice.pick(live).id.toUpperCase()])],
    ])();
  }

  private word(): string {
    return this.dice.pick(WORDS);
  }

  /** Never an empty one, nor are there empty files: a Glance on SQLite sorts those behind what is null, others with it. */
  private name(): string {
    return this.word() || 'no word';
  }

  private attributes(): Record<string, unknown> {
    const { dice } = this;
    const body: Record<string, unknown> = {};
    if (dice.chance(80)) body.name = this.name();
    if (dice.chance(70)) body.disk_format = dice.pick(DISK_FORMATS);
    if (dice.chance(70)) body.container_format = dice.pick(CONTAINER_FORMATS);
    if (dice.chance(40)) body.visibility = dice.pick(VISIBILITIES);
    if (dice.chance(20)) body.min_ram = dice.pick([0, 1, 512, 2 ** 31 - 1]);
    if (dice.chance(20)) body.min_disk = dice.pick([0, 1, 20]);
    if (dice.chance(10)) body.protected = dice.chance(50);
    if (dice.chance(10)) body.os_hidden = dice.chance(50);
    if (dice.chance(30)) body.tags = dice.some(WORDS, 20);
    if (dice.chance(10)) body.owner = dice.pick([this.around.alpha, this.around.beta, 'somebody']);
    for (const name of dice.some(CUSTOM, 8)) body[name] = this.word();
    return body;
  }

  private create(): Draft {
    const { dice } = this;
    const operation = dice.chance(4) ? 'create an image without id' : 'create an image';
    const body = this.attributes();
    if (operation === 'create an image') body.id = dice.uuid();
    const fault = dice.number(100);
    if (fault < 4) body[dice.pick(READ_ONLY)] = dice.pick([...BAD_VALUES, 'x']);
    else if (fault < 7) body[dice.pick(RESERVED)] = this.word();
    else if (fault < 14)
      body[dice.pick([...Object.keys(body), ...CUSTOM, 'protected', 'min_ram'])] = dice.pick(BAD_VALUES);
    else if (fault < 16 && this.images.length > 0)
      body.id = dice.pick([...this.gone, ...this.images.map(({ id }) => id)]);
    else if (fault < 17) for (let n = 0; n < 129; n += 1) body[`p${n}`] = 'x';
    else if (fault < 18) body.tags = Array.from({ length: 129 }, (_, n) => `t${n}`);
    else if (fault < 21) {
      const broken = dice.pick(['', '{', '[]', '"text"', '7', 'null', '{"name":"a","name":"b"}', '\xff']);
      return {
        operation: broken.includes('name') ? 'create an image without id' : operation,
        method: 'POST',
        path: '/v2/images',
        body: Buffer.from(broken, 'latin1'),
      };
    }
    // One whose id the services chose must go at once.
    if (operation === 'create an image without id') delete body.protected;
    // What belongs to nobody is in the lists of everybody who sees it, but in none of Glance's.
    if (body.owner === null || body.owner === '') delete body.owner;
    return { operation, method: 'POST', path: '/v2/images', body };
  }

  private list(): Draft {
    const { dice } = this;
    const query: string[] = [];
    const add = (name: string, value: string | number) =>
      query.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
    const filters: (() => void)[] = [
      () => add('limit', dice.pick([0, 1, 2, 3, 5, 1000, 5000, -1, 'x', ''])),
      () => add('marker', this.id()),
      () => add('sort_key', dice.pick([...SORT_KEYS, 'nothing', ''])),
      () => add('sort_dir', dice.pick(['asc', 'desc', 'up'])),
      () =>
        add(
          'sort',
          dice
            .some(SORT_KEYS, 25)
            .map((key) => `${key}${dice.pick(['', ':asc', ':desc', ':up'])}`)
            .join(','),
        ),
      () => add('name', dice.pick([this.word(), `in:${this.word()},${this.word()}`, `eq:${this.word()}`, 'neq:one'])),
      () => add('id', dice.pick([this.id(), `in:${this.id()},${this.id()}`, 'x'])),
      () => add('status', dice.pick(['active', 'queued', 'in:active,queued', 'nothing', 'deleted'])),
      () => add('visibility', dice.pick([...VISIBILITIES, 'all', 'everybody'])),
      () => add('member_status', dice.pick(['pending', 'accepted', 'rejected', 'all', 'x'])),
      () => add('owner', dice.pick([this.around.alpha, this.around.beta, 'nobody'])),
      () => add('disk_format', dice.pick(['raw', 'in:raw,qcow2', 'nothing', 'in:"raw'])),
      () => add('container_format', dice.pick(['bare', 'in:bare,ovf', '"bare"'])),
      () =>
        add(
          dice.pick(['size_min', 'size_max', 'size', 'min_ram', 'min_disk', 'min_ram_min']),
          dice.pick([0, 1, 512, -5]),
        ),
      () =>
        add(
          dice.pick(['created_at', 'updated_at']),
          `${dice.pick(['', 'gt:', 'lte:', 'eq:', 'x:'])}${dice.pick(TIMES)}`,
        ),
      () => add('protected', dice.pick(['true', 'false', 'True', '1', ''])),
      () => add('os_hidden', dice.pick(['true', 'false', 'TRUE', 'x'])),
      () => add('tag', this.word()),
      () => add(dice.pick(CUSTOM), this.word()),
      () => add('changes-since', dice.pick(TIMES)),
      () => add('deleted', 'true'),
      () => query.push('name=%FF'),
    ];
    for (let count = dice.number(4); count > 0; count -= 1) dice.pick(filters)();
    // Which one of several counts is nowhere said, but that all tags do.
    const isFirst = (part: string, at: number): boolean => {
      const name = part.split('=')[0]!;
      return name === 'tag' || query.findIndex((other) => other.split('=')[0] === name) === at;
    };
    const asked = query.filter(isFirst);
    return {
      operation: 'list images',
      method: 'GET',
      path: `/v2/images${asked.length > 0 ? `?${asked.join('&')}` : ''}`,
    };
  }

  private patch(): Draft {
    const { dice } = this;
    const id = this.id();
    const attributes = this.attributes();
    const targets = [
      'name',
      'visibility',
      'min_ram',
      'min_disk',
      'tags',
      'protected',
      'os_hidden',
      'disk_format',
      'owner',
    ];
    const path = (name: string) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const change = (): [op: string, path: string, value: unknown] => {
      const op = dice.pick(['add', 'replace', 'replace', 'remove', ...dice.some(['move', 'test'], 5)]);
      const fault = dice.number(100);
      if (fault < 6) return [op, path(dice.pick([...READ_ONLY, ...RESERVED])), this.word()];
      if (fault < 10) return [op, dice.pick(['', '/', 'x', '/a/b', '/tags/-', '/x/', '/a~2', '//name']), this.name()];
      if (fault < 50) return [op, path(dice.pick(CUSTOM)), dice.chance(90) ? this.word() : dice.pick(BAD_VALUES)];
      const name = dice.pick(targets);
      return [
        op === 'remove' && dice.chance(80) ? 'replace' : op,
        path(name),
        attributes[name] ??
          dice.pick(name === 'owner' ? BAD_VALUES.filter((value) => value !== null && value !== '') : BAD_VALUES),
      ];
    };
    const changes = Array.from({ length: dice.pick([0, 1, 1, 1, 2, 3]) }, change);
    const media = dice.weighted([
      [85, PATCH],
      [9, OLD_PATCH],
      [3, 'application/json-patch+json'],
      [2, 'application/json'],
      [1, ''],
    ] as const);
    const body =
      media === OLD_PATCH
        ? changes.map(([op, at, value]) => (op === 'remove' ? { [op]: at } : { [op]: at, value }))
        : changes.map(([op, at, value]) => (op === 'remove' ? { op, path: at } : { op, path: at, value }));
    const broken = dice.chance(4)
      ? dice.pick([{}, [1], [{ op: 'add' }], [{ path: '/name', op: 'add' }], 'x'])
      : undefined;
    return {
      operation: 'patch an image',
      method: 'PATCH',
      path: `/v2/images/${id}`,
      actor: this.ownerOf(id),
      headers: media === '' ? {} : { 'content-type': media },
      body: broken ?? body,
    };
  }

  private deleteImage(id: string, actor = this.ownerOf(id)): Draft {
    return { operation: 'delete an image', method: 'DELETE', path: `/v2/images/${id}`, actor };
  }

  private upload(): Draft {
    const { dice } = this;
    const id = this.id('queued');
    const headers: Record<string, string> = {};
    if (dice.chance(94)) headers['content-type'] = 'application/octet-stream';
    else if (dice.chance(60)) headers['content-type'] = 'text/plain';
    if (dice.chance(25)) headers['x-image-meta-store'] = dice.pick([...this.around.stores, 'nowhere', '']);
    return {
      operation: 'upload data',
      method: 'PUT',
      path: `/v2/images/${id}/file`,
      actor: this.ownerOf(id),
      headers,
      body: this.dice.bytes(dice.pick([1, 100, 511, 3000])),
      chunked: dice.chance(30),
    };
  }

  private download(): Draft {
    const { dice } = this;
    const id = this.id('active');
    const ranges = [
      'bytes=0-9',
      'bytes=5-',
      'bytes=-7',
      'bytes=90-5000',
      'bytes=9000-',
      'bytes=9-1',
      'bytes=0-1,3-4',
      'x=1-2',
      'bytes',
    ];
    const headers: Record<string, string> = {};
    if (dice.chance(45)) headers.range = dice.pick(ranges);
    else if (dice.chance(10))
      headers['content-range'] = dice.pick(['bytes 0-9/100', 'bytes 5-9000/3000', 'bytes 0-0/*', 'x']);
    return {
      operation: 'download data',
      method: 'GET',
      path: `/v2/images/${id}/file`,
      actor: this.ownerOf(id),
      headers,
    };
  }

  private tag(): Draft {
    const id = this.id();
    const tag = encodeURIComponent(
      this.dice.pick([...WORDS.filter((word) => word !== '' && !/[^ -~]/.test(word)), 'x'.repeat(256)]),
    );
    return {
      operation: 'add and remove tags',
      method: this.dice.pick(['PUT', 'PUT', 'DELETE', 'GET']),
      path: `/v2/images/${id}/tags/${tag}`,
      actor: this.ownerOf(id),
      body: this.dice.chance(5) ? Buffer.from('{}') : undefined,
    };
  }

  private member(): Draft {
    const { dice } = this;
    const id = this.id();
    const member = dice.pick([this.around.beta, this.around.beta, this.around.alpha, 'somebody', 'x'.repeat(256)]);
    const actor = this.ownerOf(id);
    const base = `/v2/images/${id}/members`;
    return dice.weighted<Draft>([
      [6, { operation: 'add a member', method: 'POST', path: base, actor, body: { member } }],
      [
        1,
        {
          operation: 'add a member',
          method: 'POST',
          path: base,
          actor,
          body: dice.pick<unknown>([{}, [], { member: '' }, { member: 7 }, { member: null }, 'x']),
        },
      ],
      [2, { operation: 'list members', method: 'GET', path: base, actor }],
      [2, { operation: 'show a member', method: 'GET', path: `${base}/${member}`, actor }],
      [
        4,
        {
          operation: 'answer a share',
          method: 'PUT',
          path: `${base}/${member}`,
          actor: dice.pick(['bob', 'bob', actor]),
          body: { status: dice.pick(['accepted', 'rejected', 'pending', 'x', '', null, 7]) },
        },
      ],
      [2, { operation: 'remove a member', method: 'DELETE', path: `${base}/${member}`, actor }],
    ]);
  }

  private action(): Draft {
    const id = this.id('active');
    return {
      operation: 'deactivate and reactivate',
      method: 'POST',
      path: `/v2/images/${id}/actions/${this.dice.pick(['deactivate', 'reactivate', 'reactivate', 'nothing'])}`,
      actor: this.ownerOf(id),
      body: this.dice.chance(5) ? {} : undefined,
    };
  }

  private stage(): Draft {
    const id = this.id('queued');
    return {
      operation: 'stage data',
      method: 'PUT',
      path: `/v2/images/${id}/stage`,
      actor: this.ownerOf(id),
      headers: this.dice.chance(95) ? { 'content-type': 'application/octet-stream' } : {},
      body: this.dice.bytes(this.dice.pick([1, 700])),
    };
  }

  private import(): Draft {
    const { dice, around } = this;
    const name = dice.pick([
      'glance-direct',
      'glance-direct',
      'web-download',
      'copy-image',
      'glance-download',
      'nothing',
    ]);
    const id = this.id(name === 'glance-direct' ? 'uploading' : name === 'copy-image' ? 'active' : 'queued');
    const method: Record<string, unknown> = { name };
    if (name === 'web-download' && dice.chance(90)) {
      method.uri = dice.pick([
        `${around.web}image`,
        `${around.web}image`,
        `${around.web}missing`,
        'http://127.0.0.1:1/x',
        'file:///etc/passwd',
        'ftp://x/y',
        'x',
        '',
        7,
      ]);
    }
    if (name === 'glance-download' && dice.chance(50))
      Object.assign(method, { glance_region: 'Nowhere', glance_image_id: dice.pick(['x', dice.uuid()]) });
    const body: Record<string, unknown> = { method };
    if (dice.chance(40)) body.stores = dice.pick<unknown>([[...around.stores], [around.stores[1]], ['nowhere'], 'x']);
    if (dice.chance(15)) body.all_stores = dice.pick<unknown>([true, true, false, 'x']);
    if (dice.chance(25)) body.all_stores_must_succeed = dice.pick<unknown>([true, false, 'x']);
    const fault = dice.chance(8)
      ? dice.pick<unknown>([{}, [], { method: {} }, { method: 'x' }, { method: { name: null } }, 'x'])
      : undefined;
    return {
      operation: 'import',
      method: 'POST',
      path: `/v2/images/${id}/import`,
      actor: dice.chance(name === 'copy-image' ? 70 : 10) ? 'root' : this.ownerOf(id),
      headers: dice.chance(10) ? { 'x-image-meta-store': dice.pick([...around.stores, 'nowhere']) } : {},
      body: fault ?? body,
      imports: id,
    };
  }

  private info(): Draft {
    const path = this.dice.pick(['import', 'stores', 'stores/detail', 'usage', 'nothing']);
    return { operation: `read info about ${path}`, method: 'GET', path: `/v2/info/${path}` };
  }

  private task(): Draft {
    const { dice } = this;
    const actor = dice.chance(70) ? 'root' : this.actor();
    const id = this.tasks.length > 0 && dice.chance(80) ? dice.pick(this.tasks) : dice.uuid();
    const query = dice.pick([
      '',
      '?limit=2',
      '?limit=x',
      '?status=success',
      '?status=x',
      '?type=import',
      '?type=x',
      '?sort_dir=asc',
      '?sort_dir=up',
      '?sort_key=x',
      `?marker=${id}`,
      '?marker=x',
    ]);
    return dice.weighted<Draft>([
      [3, { operation: 'list tasks of an image', method: 'GET', path: `/v2/images/${this.id()}/tasks` }],
      [4, { operation: 'list tasks', method: 'GET', path: `/v2/tasks${query}`, actor }],
      [2, { operation: 'show a task', method: 'GET', path: `/v2/tasks/${id}`, actor }],
      [1, { operation: 'delete a task', method: 'DELETE', path: `/v2/tasks/${id}`, actor }],
      [
        2,
        {
          operation: 'create a task',
          method: 'POST',
          path: '/v2/tasks',
          actor,
          // A source that Glance takes and Kiln refuses would stay in the lists of one of them.
          body: dice.pick<unknown>([{}, [], { type: 'import' }, { type: 'x', input: {} }]),
        },
      ],
    ]);
  }

  private store(): Draft {
    const id = this.id('active');
    return {
      operation: 'delete from one store',
      method: 'DELETE',
      path: `/v2/stores/${this.dice.pick([...this.around.stores, 'nowhere'])}/${id}`,
      actor: this.dice.chance(70) ? 'root' : this.ownerOf(id),
    };
  }

  private location(): Draft {
    const { dice } = this;
    const id = this.id();
    const value = { url: `${this.around.web}image`, metadata: {} };
    const change = dice.pick<object>([
      { op: 'add', path: '/locations/-', value },
      { op: 'replace', path: '/locations', value: [value] },
      { op: 'replace', path: '/locations', value: [] },
      { op: 'remove', path: '/locations/0' },
    ]);
    return {
      operation: 'patch locations',
      method: 'PATCH',
      path: `/v2/images/${id}`,
      actor: this.ownerOf(id),
      headers: { 'content-type': PATCH },
      body: [change],
    };
  }

  private cache(): Draft {
    const { dice } = this;
    const actor = dice.chance(70) ? 'root' : this.actor();
    const id = this.id('active');
    return dice.weighted<Draft>([
      [2, { operation: 'list the cache', method: 'GET', path: '/v2/cache', actor }],
      [3, { operation: 'queue an image for the cache', method: 'PUT', path: `/v2/cache/${id}`, actor }],
      [2, { operation: 'drop an image from the cache', method: 'DELETE', path: `/v2/cache/${id}`, actor }],
      [
        2,
        {
          operation: 'clear the cache',
          method: 'DELETE',
          path: '/v2/cache',
          actor,
          headers: dice.chance(60)
            ? { 'x-image-cache-clear-target': dice.pick(['cache', 'queue', 'QUEUE', '', 'x']) }
            : {},
        },
      ],
    ]);
  }

  private metadef(): Draft {
    const { dice } = this;
    const actor = dice.chance(75) ? 'root' : this.actor();
    const root = '/v2/metadefs/namespaces';
    const namespace =
      this.namespaces.length > 0 && dice.chance(85)
        ? dice.pick(this.namespaces)
        : dice.pick(['ns1', 'ns2', 'OS::Kiln', 'nobody']);
    const at = `${root}/${encodeURIComponent(namespace)}`;
    const name = dice.pick(['a', 'b', 'c d']);
    const property = {
      name,
      type: dice.pick(['string', 'integer', 'array', 'boolean', 'x']),
      title: 'T',
      ...(dice.chance(30) ? { default: dice.pick<unknown>(['d', 7, true]) } : {}),
      ...(dice.chance(20) ? { enum: ['d', 'e'] } : {}),
      ...(dice.chance(10) ? { minimum: dice.pick<unknown>([1, 'x']) } : {}),
      ...(dice.chance(5) ? { unknown: 1 } : {}),
    };
    const object = {
      name,
      ...(dice.chance(60) ? { description: 'D' } : {}),
      ...(dice.chance(50) ? { properties: { [name]: { type: 'string', title: 'T' } }, required: [name] } : {}),
      ...(dice.chance(5) ? { unknown: 1 } : {}),
    };
    const newNamespace = {
      namespace: dice.pick(['ns1', 'ns2', 'ns3', 'OS::Kiln', 'x'.repeat(81)]),
      ...(dice.chance(40) ? { visibility: dice.pick(['public', 'private', 'shared']) } : {}),
      ...(dice.chance(40) ? { display_name: 'D', description: 'long' } : {}),
      ...(dice.chance(20) ? { protected: dice.chance(50) } : {}),
      ...(dice.chance(10) ? { owner: this.around.beta } : {}),
      ...(dice.chance(5) ? dice.pick<object>([{ self: 'x' }, { unknown: 1 }, { created_at: 'x' }]) : {}),
    };
    const of = (
      operation: string,
      method: string,
      path: string,
      body?: unknown,
      headers?: Record<string, string>,
    ): Draft => ({ operation, method, path, actor, body, headers });
    return dice.weighted<Draft>([
      [4, of('create a namespace', 'POST', root, newNamespace)],
      [
        3,
        of(
          'list namespaces',
          'GET',
          `${root}${dice.pick(['', '?limit=1', '?limit=x', '?visibility=public', '?visibility=x', '?sort_dir=asc', '?sort_key=namespace&sort_dir=up', '?marker=ns1', '?marker=unknown', '?resource_types=R'])}`,
        ),
      ],
      [3, of('show a namespace', 'GET', `${at}${dice.pick(['', '', '?resource_type=R'])}`)],
      [
        2,
        of('replace a namespace', 'PUT', at, { ...newNamespace, namespace: dice.pick([namespace, namespace, 'ns2']) }),
      ],
      [1, of('delete a namespace', 'DELETE', at)],
      [3, of('create an object', 'POST', `${at}/objects`, object)],
      [2, of('list objects', 'GET', `${at}/objects`)],
      [2, of('show an object', 'GET', `${at}/objects/${encodeURIComponent(name)}`)],
      [1, of('replace an object', 'PUT', `${at}/objects/${encodeURIComponent(name)}`, object)],
      [1, of('delete an object', 'DELETE', `${at}/objects${dice.pick(['', '/a', '/b'])}`)],
      [4, of('create a property', 'POST', `${at}/properties`, property)],
      [2, of('list properties', 'GET', `${at}/properties`)],
      [
        2,
        of(
          'show a property',
          'GET',
          `${at}/properties/${encodeURIComponent(name)}${dice.pick(['', '', '?resource_type=R'])}`,
        ),
      ],
      [1, of('replace a property', 'PUT', `${at}/properties/${encodeURIComponent(name)}`, property)],
      [1, of('delete a property', 'DELETE', `${at}/properties${dice.pick(['', '/a', '/b'])}`)],
      [2, of('create a metadef tag', 'POST', `${at}/tags/${encodeURIComponent(name)}`)],
      [
        2,
        of(
          'replace the metadef tags',
          'POST',
          `${at}/tags`,
          dice.pick<unknown>([
            { tags: [{ name: 'a' }, { name: 'z' }] },
            { tags: [{ name: 'a' }, { name: 'a' }] },
            { tags: [] },
            {},
            [],
          ]),
          dice.chance(40) ? { 'x-openstack-append': 'True' } : {},
        ),
      ],
      [
        2,
        of(
          'list metadef tags',
          'GET',
          `${at}/tags${dice.pick(['', '?limit=1', '?sort_dir=asc', '?marker=a', '?marker=unknown'])}`,
        ),
      ],
      [1, of('show a metadef tag', 'GET', `${at}/tags/${encodeURIComponent(name)}`)],
      [1, of('rename a metadef tag', 'PUT', `${at}/tags/${encodeURIComponent(name)}`, { name: dice.pick(['a', 'q']) })],
      [1, of('delete a metadef tag', 'DELETE', `${at}/tags${dice.pick(['', '/a', '/b'])}`)],
      [
        2,
        of('associate a resource type', 'POST', `${at}/resource_types`, {
          name: dice.pick(['R', 'OS::Nova::Flavor']),
          ...(dice.chance(50) ? { prefix: 'p_' } : {}),
          ...(dice.chance(20) ? { properties_target: 'image' } : {}),
        }),
      ],
      [1, of('list associations', 'GET', `${at}/resource_types`)],
      [1, of('list resource types', 'GET', '/v2/metadefs/resource_types')],
      [1, of('dissociate a resource type', 'DELETE', `${at}/resource_types/R`)],
    ]);
  }

  private discovery(): Draft {
    const { dice } = this;
    const path = dice.pick([
      '/',
      '/images',
      '/images',
      '/versions',
      '/versions/',
      '/v2',
      '/v2/',
      '/v1',
      '/v1/images',
      '/va.1/images',
      '/v2.7/images',
      '/v2.99/images',
      '/healthcheck',
      '/nothing',
    ]);
    const headers =
      path === '/' && dice.chance(50)
        ? { accept: dice.pick(['application/vnd.openstack.images-v2', 'application/vnd.openstack.images-v9']) }
        : undefined;
    return { operation: 'discover', method: 'GET', path, headers };
  }

  private wrongMethod(): Draft {
    const { dice } = this;
    const id = this.id();
    const namespace = '/v2/metadefs/namespaces/a';
    const [path, taken] = dice.pick<[path: string, taken: string]>([
      ['/v2/images', 'GET POST'],
      [`/v2/images/${id}`, 'GET PATCH DELETE'],
      [`/v2/images/${id}/file`, 'GET PUT'],
      [`/v2/images/${id}/stage`, 'PUT'],
      [`/v2/images/${id}/import`, 'POST'],
      [`/v2/images/${id}/actions/deactivate`, 'POST'],
      [`/v2/images/${id}/tags/a`, 'PUT DELETE'],
      [`/v2/images/${id}/members`, 'GET POST'],
      [`/v2/images/${id}/members/a`, 'GET PUT DELETE'],
      [`/v2/images/${id}/tasks`, 'GET'],
      [`/v2/stores/${this.around.stores[0]}/${id}`, 'DELETE'],
      ['/v2/schemas/image', 'GET'],
      ['/v2/info/stores', 'GET'],
      ['/v2/info/stores/detail', 'GET'],
      ['/v2/info/import', 'GET'],
      ['/v2/info/usage', 'GET'],
      ['/v2/tasks', 'GET POST'],
      ['/v2/tasks/x', 'GET DELETE'],
      ['/v2/cache', 'GET DELETE'],
      [`/v2/cache/${id}`, 'PUT DELETE'],
      ['/v2/metadefs/namespaces', 'GET POST'],
      [namespace, 'GET PUT DELETE'],
      [`${namespace}/objects`, 'GET POST DELETE'],
      [`${namespace}/objects/b`, 'GET PUT DELETE'],
      [`${namespace}/properties`, 'GET POST DELETE'],
      [`${namespace}/properties/b`, 'GET PUT DELETE'],
      [`${namespace}/tags`, 'GET POST DELETE'],
      [`${namespace}/tags/b`, 'GET POST PUT DELETE'],
      [`${namespace}/resource_types`, 'GET POST'],
      [`${namespace}/resource_types/b`, 'DELETE'],
      ['/v2/metadefs/resource_types', 'GET'],
    ]);
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
    const method = dice.pick(methods.filter((name) => !taken.split(' ').includes(name)));
    return { operation: 'use a wrong method', method, path };
  }
}
