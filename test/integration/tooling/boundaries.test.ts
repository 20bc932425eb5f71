import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');

/** An import that must not be, and the rule that says so. */
const FORBIDDEN: ReadonlyArray<[from: string, to: string, rule: string]> = [
  ['src/modules/tenancy/a.ts', 'src/modules/images/index.ts', 'module-tenancy'],
  ['src/modules/identity/a.ts', 'src/modules/artifacts/index.ts', 'module-identity'],
  ['src/modules/keys/a.ts', 'src/modules/identity/index.ts', 'module-keys'],
  ['src/modules/images/a.ts', 'src/modules/recipes/index.ts', 'module-images'],
  ['src/modules/recipes/a.ts', 'src/modules/jobs/index.ts', 'module-recipes'],
  ['src/modules/jobs/a.ts', 'src/modules/custom-images/index.ts', 'module-jobs'],
  ['src/modules/jobs/b.ts', 'src/modules/images/images.repository.ts', 'modules-by-the-front-door'],
  ['src/modules/jobs/c.ts', 'src/apis/glance/glance.face.ts', 'module-jobs'],
  ['src/modules/jobs/d.ts', 'src/builders/local/local.builder.ts', 'module-jobs'],
  ['src/modules/quotas/a.ts', 'src/common/errors.ts', 'module-has-a-place-in-the-order'],
  ['src/apis/glance/a.ts', 'src/apis/ims/ims.face.ts', 'faces-know-no-other-face'],
  ['src/apis/glance/b.ts', 'src/modules/images/images.repository.ts', 'faces-know-no-other-face'],
  ['src/apis/glance/c.ts', 'src/platform/database/database.ts', 'faces-hold-no-storage'],
  ['src/apis/glance/d.ts', 'node_modules/pg', 'faces-hold-no-storage'],
  ['src/apis/glance/e.ts', 'src/platform/logging/log.ts', 'faces-know-no-other-face'],
  ['src/apis/shared/a.ts', 'src/apis/glance/glance.face.ts', 'shared-serves-every-face'],
  ['src/apis/shared/b.ts', 'src/platform/queue/task-queue.ts', 'faces-hold-no-storage'],
  ['src/workers/a.ts', 'src/modules/jobs/jobs.service.ts', 'workers-are-thin'],
  ['src/workers/b.ts', 'src/platform/database/database.ts', 'workers-are-thin'],
  ['src/builders/local/a.ts', 'src/modules/images/index.ts', 'builders-implement-the-port'],
  ['src/builders/local/b.ts', 'src/modules/jobs/jobs.service.ts', 'builders-implement-the-port'],
  ['src/builders/program/a.ts', 'src/modules/jobs/index.ts', 'builder-program-runs-alone'],
  ['src/builders/sandbox/a.ts', 'src/platform/database/database.ts', 'builder-program-runs-alone'],
  ['src/platform/queue/a.ts', 'src/modules/jobs/index.ts', 'platform-has-no-domain'],
  ['src/config/a.ts', 'src/platform/logging/log.ts', 'config-uses-common'],
  ['src/common/a.ts', 'src/config/config.ts', 'common-stands-alone'],
  ['src/common/b.ts', 'node_modules/pg', 'common-knows-no-framework'],
  ['src/modules/images/e.ts', 'src/main.ts', 'nobody-uses-the-root'],
  ['src/modules/images/f.ts', 'test/support/fake.ts', 'sources-know-no-test'],
  ['src/modules/images/g.ts', 'node_modules/prettier', 'only-declared-packages'],
  ['src/helpers/a.ts', 'src/common/errors.ts', 'every-folder-has-a-rule'],
  ['migrations/1-a.ts', 'src/common/errors.ts', 'migrations-stand-alone'],
  ['src/common/circle-a.ts', 'src/common/circle-b.ts', 'no-cycles'],
];

/** A cycle is reported once, at the import that opens it. */
const CLOSES_THE_CIRCLE = ['src/common/circle-b.ts', 'src/common/circle-a.ts'] as const;

const ALLOWED: ReadonlyArray<[from: string, to: string]> = [
  ['src/main.ts', 'src/modules/images/images.repository.ts'],
  ['src/modules/jobs/z.ts', 'src/modules/images/index.ts'],
  ['src/modules/custom-images/z.ts', 'src/modules/jobs/index.ts'],
  ['src/modules/images/z.ts', 'src/modules/artifacts/index.ts'],
  ['src/modules/images/z.spec.ts', 'test/support/fake.ts'],
  ['src/apis/glance/z.ts', 'src/modules/images/index.ts'],
  ['src/apis/glance/y.ts', 'src/apis/shared/face.ts'],
  ['src/apis/shared/z.ts', 'src/platform/logging/log.ts'],
  ['src/workers/z.ts', 'src/platform/queue/task-queue.ts'],
  ['src/builders/local/z.ts', 'src/modules/jobs/index.ts'],
  ['src/builders/program/z.ts', 'src/modules/jobs/builder.ts'],
  ['src/platform/database/migrate.ts', 'migrations/index.ts'],
];

describe('the folder rule', () => {
  let folder: string;
  let violations: Array<{ from: string; to: string; rule: string }>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-boundaries-'));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
      await copyFile(join(root, file), join(folder, file));
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const imports = new Map<string, string[]>();
    for (const [from, to] of [...FORBIDDEN, ...ALLOWED, CLOSES_THE_CIRCLE]) {
      imports.set(from, [...(imports.get(from) ?? []), specifier(from, to)]);
      if (!to.startsWith('node_modules/') && !imports.has(to)) imports.set(to, []);
    }
    for (const [path, targets] of imports) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      const lines = targets.map((target, index) => `import * as used${index} from '${target}';\nvoid used${index};\n`);
      await writeFile(join(folder, path), `${lines.join('')}export const here = true;\n`);
    }
    const cruiser = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [cruiser, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'migrations'],
      { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
    );
    if (!stdout) throw new Error(stderr);
    const report = JSON.parse(stdout) as {
      summary: { violations: Array<{ from: string; to: string; rule: { name: string } }> };
    };
    violations = report.summary.violations.map(({ from, to, rule }) => ({ from, to, rule: rule.name }));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  function specifier(from: string, to: string): string {
    if (to.startsWith('node_modules/')) return to.slice('node_modules/'.length);
    const path = relative(dirname(from), to).replace(/\.ts$/, '.js');
    return path.startsWith('.') ? path : `./${path}`;
  }

  it.each(FORBIDDEN)('forbids %s → %s (%s)', (from, to, rule) => {
    const found = violations.filter((violation) => violation.from === from);

    expect(found.map((violation) => violation.rule)).toContain(rule);
    if (!to.startsWith('node_modules/')) expect(found.map((violation) => violation.to)).toContain(to);
  });

  it.each(ALLOWED)('allows %s → %s', (from) => {
    expect(violations.filter((violation) => violation.from === from)).toEqual([]);
  });
});
