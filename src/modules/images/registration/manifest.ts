import { type Address, parseAddress } from '../../artifacts/index.js';
import { ManifestInvalidError, ManifestRootfsError } from './registration.errors.js';

export const ARTIFACT_ROLES = [
  'rootfs',
  'kernel',
  'initrd',
  'boot_parameters',
  'debug_kernel',
  'disk',
  'other',
] as const;
export type ArtifactRole = (typeof ARTIFACT_ROLES)[number];

/** What a manifest says of one artifact of an image. */
export interface ManifestEntry {
  readonly type: string;
  readonly path: string;
  readonly address: Address;
  readonly md5: string | null;
}

/** An entry of which only the address has been checked. */
export type LinkedEntry = Omit<ManifestEntry, 'type' | 'md5'> & { readonly raw: Readonly<Record<string, unknown>> };

/** @see Image Management Service, image manifest 1.0 */
export const MANIFEST_VERSION = '1.0';
export const MANIFEST_TYPE = 'application/vnd.cray.image.manifest';

const ROLE_TYPES: Readonly<Record<Exclude<ArtifactRole, 'disk' | 'other'>, string>> = {
  rootfs: 'application/vnd.cray.image.rootfs.squashfs',
  kernel: 'application/vnd.cray.image.kernel',
  initrd: 'application/vnd.cray.image.initrd',
  boot_parameters: 'application/vnd.cray.image.parameters.boot',
  debug_kernel: 'application/vnd.cray.image.debug.kernel',
};
const DISK_TYPE = 'application/vnd.kiln.image.disk.';

/** The media type of an artifact in manifests. */
export function mediaTypeOf(role: Exclude<ArtifactRole, 'other'>, diskFormat = 'raw'): string {
  return role === 'disk' ? DISK_TYPE + diskFormat : ROLE_TYPES[role];
}

/** What an artifact of that media type is to its image. A suffix may follow the type of a root file system. */
export function roleOf(mediaType: string): ArtifactRole {
  if (mediaType.startsWith(ROLE_TYPES.rootfs)) return 'rootfs';
  if (mediaType.startsWith(DISK_TYPE)) return 'disk';
  return ARTIFACT_ROLES.find((role) => ROLE_TYPES[role as keyof typeof ROLE_TYPES] === mediaType) ?? 'other';
}

/**
 * Reads the entries of a manifest, as far as they can be checked without looking for the objects.
 * @param path address of the manifest, for the messages
 * @throws ManifestInvalidError, MalformedAddressError
 */
export function readManifest(path: string, bytes: Buffer): LinkedEntry[] {
  const refuse = (reason: string): never => {
    throw new ManifestInvalidError(path, reason);
  };
  const manifest = parseObject(bytes) ?? refuse('it is not a JSON object');
  if (manifest.version === undefined) refuse('it has no version');
  if (manifest.version !== MANIFEST_VERSION) refuse(`its version is not ${MANIFEST_VERSION}`);
  if (manifest.artifacts === undefined) refuse('it has no artifacts');
  if (!Array.isArray(manifest.artifacts)) return refuse('its artifacts are not a list');
  return manifest.artifacts.map((entry: unknown, index) => {
    const link = isObject(entry) && isObject(entry.link) ? entry.link : refuse(`its artifact ${index} has no link`);
    if (link.type !== 's3') refuse(`the link of its artifact ${index} is not of type s3`);
    if (typeof link.path !== 'string') return refuse(`the link of its artifact ${index} has no path`);
    return { path: link.path, address: parseAddress(link.path), raw: entry as Record<string, unknown> };
  });
}

/**
 * The entries with their types: what is checked once all objects are known to exist.
 * @throws ManifestInvalidError, ManifestRootfsError
 */
export function typedEntries(path: string, linked: readonly LinkedEntry[]): ManifestEntry[] {
  const entries = linked.map(({ raw, ...entry }, index) => {
    if (typeof raw.type !== 'string' || raw.type.includes('\0')) {
      throw new ManifestInvalidError(path, `its artifact ${index} has no type`);
    }
    return { ...entry, type: raw.type, md5: readMd5(raw.md5) };
  });
  const roots = entries.filter((entry) => roleOf(entry.type) === 'rootfs');
  if (roots.length !== 1) throw new ManifestRootfsError(path, roots.length);
  return entries;
}

/** An entry of a manifest that is written. */
export interface NewManifestEntry {
  readonly type: string;
  readonly path: string;
  /** Null: the entry has none. */
  readonly md5: string | null;
  /** Absent: the md5. */
  readonly etag?: string;
}

/** The text of a manifest. `createdAt` is written the way that writers of manifests do. */
export function writeManifest(createdAt: Date, artifacts: readonly NewManifestEntry[]): string {
  const entries = artifacts.map(({ type, path, md5, etag }) => ({
    link: { path, etag: etag ?? md5 ?? '', type: 's3' },
    type,
    ...(md5 === null ? {} : { md5 }),
  }));
  const created = createdAt.toISOString().slice(0, 19).replace('T', ' ');
  return `${JSON.stringify({ version: MANIFEST_VERSION, created, artifacts: entries }, null, 2)}\n`;
}

/** Not compared with anything, only kept. */
function readMd5(md5: unknown): string | null {
  return typeof md5 === 'string' && !md5.includes('\0') ? md5.slice(0, 64) : null;
}

function parseObject(bytes: Buffer): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
