import { InvalidError, NotFoundError, UnsupportedError } from '../../common/errors.js';

/** A microversion that is none. */
export class VersionMalformedError extends InvalidError {
  override readonly code = 'nova.version_malformed';
  constructor(asked: string) {
    super(`API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
}

/** A microversion that is not served. */
export class VersionNotSupportedError extends UnsupportedError {
  override readonly code = 'nova.version_not_supported';
  constructor(asked: string, oldest: string, newest: string) {
    super(`Version ${asked} is not supported by the API. Minimum is ${oldest} and maximum is ${newest}.`);
  }
}

/** Nothing at that path, or nothing in that microversion. */
export class ResourceNotFoundError extends NotFoundError {
  override readonly code = 'nova.resource_not_found';
  constructor() {
    super('The resource could not be found.');
  }
}

/** The path names another project than the token. */
export class ProjectMismatchError extends InvalidError {
  override readonly code = 'nova.project_mismatch';
  constructor(projectId: string, actorProjectId: string | null) {
    super(
      `Malformed request URL: URL's project_id '${projectId}' doesn't match Context's project_id '${actorProjectId ?? 'None'}'`,
    );
  }
}

/** A query parameter with a value that it cannot have. */
export class QueryInvalidError extends InvalidError {
  override readonly code = 'nova.query_invalid';
  constructor(name: string, value: string, expected: string) {
    super(`Invalid input for query parameters ${name}. Value: ${value.slice(0, 255)}. ${expected}`);
  }
}

/** A body of another shape than the operation takes. */
export class BodyInvalidError extends InvalidError {
  override readonly code = 'nova.body_invalid';
}

/** There is nothing to delete under that key. */
export class MetadataKeyNotFoundError extends NotFoundError {
  override readonly code = 'nova.metadata_key_not_found';
  constructor() {
    super('Invalid metadata key');
  }
}
