import { Injectable } from '@nestjs/common';
import { Face } from './face.js';

/** Which face a path belongs to. Faces register themselves when their module starts. */
@Injectable()
export class FaceRegistry {
  private readonly faces: Face[] = [];
  private fallback: Face | null = null;

  /** Two faces may not share a mount. */
  register(face: Face): void {
    for (const mount of face.mounts) {
      if (this.faces.some((other) => other.mounts.includes(mount)))
        throw new Error(`Two faces are mounted at ${mount}`);
    }
    this.faces.push(face);
  }

  /** The face for paths below no mount. */
  registerFallback(face: Face): void {
    this.fallback = face;
  }

  /** @param path without the query */
  forPath(path: string): Face {
    const found = this.faces.find((face) =>
      face.mounts.some((mount) => path === mount || path.startsWith(`${mount}/`)),
    );
    const face = found ?? this.fallback;
    if (!face) throw new Error(`No face answers for ${path}`);
    return face;
  }

  all(): readonly Face[] {
    return this.faces;
  }
}
