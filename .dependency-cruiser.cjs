// The folder rule of ARCHITECTURE.md: who may import whom. An exception needs an ADR, not a comment.

/** Modules in their order: each may use those to its left, through their front doors. */
const MAY_USE = {
  tenancy: [],
  identity: ['tenancy'],
  keys: ['tenancy'],
  nodes: ['tenancy'],
  artifacts: ['tenancy'],
  images: ['tenancy', 'identity', 'keys', 'artifacts'],
  // The table of rules, which images bring, speaks of metadata definitions too.
  metadefs: ['tenancy', 'images'],
  // Provisioning images, which bind images of the registry.
  provisioning: ['tenancy', 'identity', 'images'],
  recipes: ['tenancy', 'identity', 'keys', 'artifacts'],
  jobs: ['tenancy', 'identity', 'keys', 'artifacts', 'images', 'recipes'],
  'custom-images': ['tenancy', 'identity', 'keys', 'artifacts', 'images', 'jobs'],
};

const BUILDERS_MAY_USE = ['jobs', 'artifacts', 'tenancy'];

/** Has no imports of its own. */
const BUILDER_PORT = '^src/modules/jobs/builder\\.ts$';

const frontDoors = (modules) => modules.map((name) => `^src/modules/${name}/index\\.ts$`);
const COMMON = ['^src/config/', '^src/common/'];
// A spec may use what the tests share; nothing else may.
const SOURCE = { pathNot: '\\.spec\\.ts$' };

/** What is ours, in contrast to packages. Specs may use test/support; `sources-know-no-test` keeps the rest from it. */
const ours = (allowed) => ({
  path: '^(src|migrations|test|scripts|bench|examples)/',
  pathNot: [...allowed, '^test/support/'],
});

/** Of what is ours, files of `from` may import `allowed` and nothing else. */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: ours(allowed),
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle that a type import breaks is none when the program runs; between modules the order forbids it.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'only-what-resolves',
      comment: 'An import of something that is not there, or not a dependency of package.json.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: { path: '^(src|migrations)/', ...SOURCE },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },

    only('common-stands-alone', 'common is plain TypeScript for every layer.', '^src/common/', ['^src/common/']),
    {
      name: 'common-knows-no-framework',
      severity: 'error',
      from: { path: '^src/common/', ...SOURCE },
      to: { path: '(^|/)node_modules/(fastify|@nestjs/platform-fastify|typeorm|pg|bullmq|ioredis|@aws-sdk)(/|$)' },
    },
    only('config-uses-common', 'config may use common.', '^src/config/', COMMON),
    only(
      'platform-has-no-domain',
      'platform may use config and common. The data source lists the migrations, which are the schema it brings.',
      '^src/platform/',
      ['^src/platform/', ...COMMON, '^migrations/index\\.ts$'],
    ),
    only('migrations-stand-alone', 'A migration must do tomorrow what it did today.', '^migrations/', ['^migrations/']),

    ...Object.entries(MAY_USE).map(([module, left]) =>
      only(
        `module-${module}`,
        `${module} may use ${left.join(', ') || 'no other module'} (through index.ts), platform, config, common.`,
        `^src/modules/${module}/`,
        [`^src/modules/${module}/`, ...frontDoors(left), '^src/platform/', ...COMMON],
      ),
    ),
    {
      name: 'module-has-a-place-in-the-order',
      comment: 'A new module must be added to the order in .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: '^src/modules/', pathNot: `^src/modules/(${Object.keys(MAY_USE).join('|')})/` },
      to: {},
    },
    {
      name: 'modules-by-the-front-door',
      comment: 'Other modules are used through their index.ts.',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/' },
      to: { path: '^src/modules/', pathNot: ['^src/modules/$1/', '^src/modules/[^/]+/index\\.ts$'] },
    },

    {
      name: 'faces-know-no-other-face',
      comment: 'A face may use apis/shared, the front doors of modules, config and common.',
      severity: 'error',
      from: { path: '^src/apis/([^/]+)/', pathNot: '^src/apis/(shared|root)/' },
      to: ours(['^src/apis/$1/', '^src/apis/shared/', '^src/modules/[^/]+/index\\.ts$', ...COMMON]),
    },
    {
      name: 'shared-serves-every-face',
      comment: 'apis/shared and apis/root (health, metrics) also log, count and limit, so that no face has to.',
      severity: 'error',
      from: { path: '^src/apis/(shared|root)/' },
      to: ours([
        '^src/apis/($1|shared)/',
        '^src/modules/[^/]+/index\\.ts$',
        '^src/platform/(logging|telemetry|rate-limit)/',
        ...COMMON,
      ]),
    },
    {
      name: 'faces-hold-no-storage',
      severity: 'error',
      from: { path: '^src/apis/', ...SOURCE },
      to: {
        path: '^src/platform/(database|object-store|queue|kubernetes)/|(^|/)node_modules/(typeorm|pg|bullmq|ioredis|@aws-sdk)(/|$)',
      },
    },

    only(
      'workers-are-thin',
      'workers may use the front doors of modules, and of platform what feeds them, what they sweep and where they log.',
      '^src/workers/',
      ['^src/workers/', '^src/modules/[^/]+/index\\.ts$', '^src/platform/(queue|events|logging)/', ...COMMON],
    ),
    only(
      'builders-implement-the-port',
      `builders may use the front doors of ${BUILDERS_MAY_USE.join(', ')}, and platform.`,
      '^src/builders/',
      ['^src/builders/', ...frontDoors(BUILDERS_MAY_USE), BUILDER_PORT, '^src/platform/', ...COMMON],
    ),
    only(
      'builder-program-runs-alone',
      'The builder program and its sandbox know the port itself and nothing else of Kiln: they start in no time, anywhere.',
      '^src/builders/(program|sandbox)/',
      ['^src/builders/(program|sandbox)/', BUILDER_PORT, ...COMMON],
    ),
    only(
      'bootstrap-uses-front-doors',
      'bootstrap applies the declared projects and users at the start: front doors of modules, and platform.',
      '^src/bootstrap/',
      ['^src/bootstrap/', '^src/modules/[^/]+/index\\.ts$', '^src/platform/', ...COMMON],
    ),
    {
      name: 'every-folder-has-a-rule',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: '^src/(common|config|platform|modules|apis|workers|builders|bootstrap)/' },
      to: {},
    },
    {
      name: 'nobody-uses-the-root',
      comment: 'main, worker, process and the modules at the root compose; nothing is built on them.',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
    {
      name: 'sources-know-no-test',
      severity: 'error',
      from: { path: '^(src|migrations)/', ...SOURCE },
      to: { path: '^test/|\\.(spec|test)\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // Type imports couple too: a face that names a repository's type depends on it.
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
