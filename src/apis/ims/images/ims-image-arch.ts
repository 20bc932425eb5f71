export const IMS_ARCHS = ['x86_64', 'aarch64'] as const;
export type ImsArch = (typeof IMS_ARCHS)[number];

/** This API knows two architectures. Null: images that do not say. */
const SPELLINGS: Readonly<Record<ImsArch, readonly (string | null)[]>> = {
  x86_64: [null, '', 'x86_64', 'amd64'],
  aarch64: ['aarch64', 'arm64'],
};

/** The word of this API for an image's architecture; null: images of that one are not shown here. */
export function imsArchOf(architecture: string | null): ImsArch | null {
  return IMS_ARCHS.find((arch) => SPELLINGS[arch].includes(architecture)) ?? null;
}

/** What the architecture of an image may say to be one of these. */
export function architecturesOf(archs: readonly ImsArch[]): (string | null)[] {
  return archs.flatMap((arch) => SPELLINGS[arch]);
}
