import { ConflictError, UnavailableError, UnprocessableError } from '../../common/errors.js';

/** The cluster's API does not answer, or says that it cannot now. */
export class ClusterUnavailableError extends UnavailableError {
  override readonly code = 'kubernetes.unavailable';
  constructor(doing: string, cause: unknown) {
    super(`Kubernetes is not available for ${doing} (${reasonOf(cause)})`, {}, { cause });
  }
}

/** The cluster's API will not do what it was asked for: no right, a quota, an object it finds wrong. */
export class ClusterRefusedError extends UnprocessableError {
  override readonly code = 'kubernetes.refused';
  constructor(doing: string, reason: string, cause: unknown) {
    super(`Kubernetes refuses ${doing} (${reason})`, {}, { cause });
  }
}

/** An object of that kind and name is there already. */
export class ClusterObjectExistsError extends ConflictError {
  override readonly code = 'kubernetes.exists';
  constructor(kind: string, name: string) {
    super(`There is a ${kind} ${name} already`, { kind, name });
  }
}

function reasonOf(cause: unknown): string {
  const inner = (cause as { cause?: unknown }).cause ?? cause;
  return inner instanceof Error ? (inner.message.split('\n')[0] ?? inner.name) : String(inner);
}
