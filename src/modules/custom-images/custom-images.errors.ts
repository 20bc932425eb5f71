import { ConflictError, InvalidError, NotFoundError } from '../../common/errors.js';
import type { CustomImageState } from './custom-image-state.js';
import type { ValidationMessage } from './validation/validation.js';

/** No custom image of that name in the project and region. */
export class CustomImageNotFoundError extends NotFoundError {
  override readonly code = 'custom_images.not_found';
  constructor(name: string) {
    super(`No image or stack associated with ParallelCluster image id: ${name}`, { name });
  }
}

/** A build has no log (of that name). */
export class CustomImageLogNotFoundError extends NotFoundError {
  override readonly code = 'custom_images.log_not_found';
  constructor(name: string, logName?: string) {
    super(
      logName === undefined
        ? `The build of image ${name} has logged nothing so far, or its log is gone`
        : `The build of image ${name} has no log stream '${logName.slice(0, 200)}'`,
      { name, logName },
    );
  }
}

/** The name stands for another build or image of the project. */
export class CustomImageExistsError extends ConflictError {
  override readonly code = 'custom_images.exists';
  constructor(name: string) {
    super(`ParallelCluster image ${name} already exists`, { name });
  }
}

/** Not a step that a custom image can take from where it is. */
export class CustomImageStateError extends InvalidError {
  override readonly code = 'custom_images.state';
  constructor(name: string, from: CustomImageState, to: CustomImageState) {
    super(`Image ${name} is ${from}, it cannot become ${to}`, { name, from, to });
  }
}

/** Its build has not ended. */
export class CustomImageBuildingError extends InvalidError {
  override readonly code = 'custom_images.building';
  constructor(name: string) {
    super(`The build of image ${name} is running; an image is deleted when its build has ended`, { name });
  }
}

/** Something that works uses the image, or others may. */
export class CustomImageInUseError extends InvalidError {
  override readonly code = 'custom_images.in_use';
  constructor(name: string, amiId: string, users: readonly string[]) {
    super(`Image ${name} (${amiId}) is used by ${users.join(', ')}; delete it with force`, { name, users });
  }
}

/** Other projects see the image. */
export class CustomImageSharedError extends InvalidError {
  override readonly code = 'custom_images.shared';
  constructor(name: string, amiId: string, sharers: readonly string[]) {
    super(`Image ${name} (${amiId}) is shared with ${sharers.join(', ')}; delete it with force`, { name, sharers });
  }
}

/** A region that this deployment does not have. */
export class RegionUnsupportedError extends InvalidError {
  override readonly code = 'custom_images.region_unsupported';
  constructor(region: string, regions: readonly string[]) {
    super(`region '${region.slice(0, 100)}' is not supported; it is one of ${regions.join(', ')}`, { region });
  }
}

/** The client and its configuration name two regions. */
export class RegionAmbiguousError extends InvalidError {
  override readonly code = 'custom_images.region_ambiguous';
  constructor(asked: string, configured: string) {
    super(
      `region is set in both parameter and configuration and does not match: ` +
        `'${asked.slice(0, 100)}' and '${configured.slice(0, 100)}'`,
      { asked, configured },
    );
  }
}

/** The page does not follow on any page of that list. */
export class PageTokenError extends InvalidError {
  override readonly code = 'custom_images.page_token';
  constructor() {
    super('nextToken is not one that was given for this list');
  }
}

/** A name that is too long; the others are refused as wire faults. */
export class CustomImageNameTooLongError extends InvalidError {
  override readonly code = 'custom_images.name_too_long';
  constructor(name: string, longest: number) {
    super(`Image id '${name.slice(0, longest)}…' has ${name.length} characters; ${longest} is the most`, { longest });
  }
}

/** The configuration is no document that could be looked at. */
export class ConfigurationUnreadableError extends InvalidError {
  override readonly code = 'custom_images.configuration_unreadable';
  constructor(reason: string) {
    super(`Configuration must be a valid YAML document that is a mapping: ${reason}`);
  }
}

/** The configuration was looked at and refused; `details.messages` says why. */
export class ConfigurationInvalidError extends InvalidError {
  override readonly code = 'custom_images.configuration_invalid';
  constructor(message: string, messages: readonly ValidationMessage[]) {
    super(message, { messages });
  }
}

/** There is nothing that could be built upon. */
export class ParentImageUnknownError extends InvalidError {
  override readonly code = 'custom_images.parent_unknown';
  constructor(reference: string) {
    super(`ParentImage '${reference.slice(0, 200)}' names no image that can be built upon`, { reference });
  }
}
