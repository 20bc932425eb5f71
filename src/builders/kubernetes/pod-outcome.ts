import {
  BUILD_FAILURE_CODES,
  BuildFailedError,
  type BuildFailureCode,
  type BuildResult,
  BUILT_ROLES,
  type BuiltFile,
} from '../../modules/jobs/index.js';

/** How a build ended. */
export type Fate = { readonly outcome: BuildResult } | { readonly failure: BuildFailedError };

/** The program's last word, which the code of a recipe might have forged: every part of it is checked. */
export function readOutcome(text: string): Fate {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = undefined;
  }
  const { files, code, message } = (found ?? {}) as { files?: unknown; code?: unknown; message?: unknown };
  if (typeof message === 'string') {
    const known = (BUILD_FAILURE_CODES as readonly unknown[]).includes(code);
    return { failure: new BuildFailedError(known ? (code as BuildFailureCode) : 'build.failed', message) };
  }
  if (Array.isArray(files) && files.every(isBuiltFile)) {
    return { outcome: { files: files.map(({ role, fileId }) => ({ role, fileId })) } };
  }
  return {
    failure: new BuildFailedError('executor.failed', 'The builder ended without saying what became of the build'),
  };
}

function isBuiltFile(value: unknown): value is BuiltFile {
  const { role, fileId } = (value ?? {}) as { role?: unknown; fileId?: unknown };
  return (BUILT_ROLES as readonly unknown[]).includes(role) && typeof fileId === 'string';
}
