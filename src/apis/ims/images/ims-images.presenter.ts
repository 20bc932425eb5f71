import { type Image, isReservedProperty } from '../../../modules/images/index.js';
import { presentLink } from '../ims-link.js';
import { imsArchOf } from './ims-image-arch.js';

/** @see Image Management Service v3, ImageRecord */
export function presentImage(image: Image) {
  return {
    id: image.id,
    created: image.createdAt.toISOString(),
    // Other faces allow images without a name, this one does not.
    name: image.name || image.id,
    link: presentLink(image.linkPath, image.linkEtag),
    arch: imsArchOf(image.architecture),
    metadata: presentMetadata(image),
  };
}

function presentMetadata({ properties }: Image): Record<string, string> {
  const shown = Object.entries(properties).filter(([key]) => key !== 'architecture' && !isReservedProperty(key));
  return Object.fromEntries(shown);
}
