/** The operating systems that official images are of, as the reference of `BUILDER_VERSION` calls them. */
export const OFFICIAL_SYSTEMS = [
  'alinux2',
  'alinux2023',
  'ubuntu2004',
  'ubuntu2204',
  'rhel8',
  'rocky8',
  'rhel9',
  'rocky9',
] as const;
