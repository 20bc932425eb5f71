import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

const NODE_GLOBALS = Object.fromEntries(
  [
    'AbortController',
    'AbortSignal',
    'Buffer',
    'TextDecoder',
    'TextEncoder',
    'URL',
    'URLSearchParams',
    'clearInterval',
    'clearTimeout',
    'console',
    'fetch',
    'performance',
    'process',
    'setImmediate',
    'setInterval',
    'setTimeout',
    'structuredClone',
  ].map((name) => [name, 'readonly']),
);

const WAY_OUT = 'Only platform/egress asks addresses that others chose (ADR 7).';

/** What opens connections. Servers, types and names of statuses do not. */
const CONNECTS = {
  http: ['request', 'get', 'Agent', 'ClientRequest', 'globalAgent', 'default'],
  https: ['request', 'get', 'Agent', 'globalAgent', 'default'],
  http2: ['connect', 'default'],
  net: ['connect', 'createConnection', 'Socket', 'Stream', 'default'],
  tls: ['connect', 'TLSSocket', 'default'],
};
const CONNECTING_MODULES = ['dgram', 'dns', 'dns/promises', 'undici', 'axios', 'got', 'node-fetch', 'ky', 'ws'];
const CONNECTING_GLOBALS = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'];
/** Where these go is the operator's word: the database, the queue, the stores, the cluster. */
const OPERATORS_WORD = ['pg', 'ioredis', '@aws-sdk/*', '@smithy/*', '@kubernetes/*'];

const bothNames = (name) => [name, `node:${name}`];
const anyOf = (names) => `/^(node:)?(${names.join('|').replaceAll('/', '\\u002F')})$/`;
const says = (selector) => ({ selector, message: WAY_OUT });

/** @param forbidden packages beside those that nobody may use */
const noWayOut = (forbidden) => ({
  '@typescript-eslint/no-restricted-imports': [
    'error',
    {
      paths: [
        ...Object.entries(CONNECTS).flatMap(([module, importNames]) =>
          bothNames(module).map((name) => ({ name, importNames, message: WAY_OUT, allowTypeImports: true })),
        ),
        ...CONNECTING_MODULES.flatMap(bothNames).map((name) => ({ name, message: WAY_OUT, allowTypeImports: true })),
      ],
      patterns: forbidden.map((group) => ({ group: [group], message: WAY_OUT, allowTypeImports: true })),
    },
  ],
  'no-restricted-globals': ['error', ...CONNECTING_GLOBALS.map((name) => ({ name, message: WAY_OUT }))],
  'no-restricted-syntax': [
    'error',
    says(`MemberExpression[object.name=/^(globalThis|global)$/][property.name=${anyOf(CONNECTING_GLOBALS)}]`),
    says(`ImportExpression[source.value=${anyOf([...Object.keys(CONNECTS), ...CONNECTING_MODULES])}]`),
    // What is loaded must be seen.
    says("ImportExpression[source.type!='Literal']"),
    says("CallExpression[callee.name='require']"),
    says("CallExpression[callee.callee.name='createRequire']"),
    says("CallExpression[callee.property.name='getBuiltinModule']"),
  ],
});

/** Only rules that find mistakes: how code looks is Prettier's business. */
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.kiln/', 'coverage/', 'console/', 'deploy/'] },
  eslint.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: { globals: { ...NODE_GLOBALS, module: 'writable', require: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // The compiler knows names, duplicates and unused variables better.
      'no-undef': 'off',
      'no-redeclare': 'off',
      'no-dupe-class-members': 'off',
      'no-unused-vars': 'off',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-array-delete': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-for-in-array': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/no-unsafe-argument': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    // One place reads the environment, once; the entry points hand it over.
    files: ['src/**/*.ts'],
    ignores: ['src/config/**', 'src/main.ts', 'src/worker.ts', 'src/process.ts', '**/*.spec.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Add a setting to config/config.schema.ts and inject Config.' },
      ],
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.spec.ts', 'src/platform/egress/**'],
    rules: noWayOut(OPERATORS_WORD),
  },
  {
    // The places that use them.
    files: [
      'src/platform/{database,queue,object-store,kubernetes,rate-limit}/**/*.ts',
      'src/platform/events/event-dispatcher.ts',
      'src/modules/jobs/job-signals.ts',
    ],
    ignores: ['**/*.spec.ts'],
    rules: noWayOut([]),
  },
  {
    // The builder program asks the addresses of its order, which Kiln makes, and the socket of its own sandbox.
    files: ['src/builders/program/{kiln,shell-server}.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': 'off' },
  },
  {
    // So is the address of Keystone; the client follows no redirection.
    files: ['src/platform/keystone/**/*.ts'],
    rules: { 'no-restricted-globals': 'off' },
  },
  {
    // So is the address of the cluster, whose logs come with the credentials and certificates of its client.
    files: ['src/platform/kubernetes/cluster.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': 'off' },
  },
  {
    files: ['test/**/*.ts', '**/*.spec.ts'],
    rules: {
      // Assertions on wire bodies are made on untyped JSON.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
    },
  },
);
