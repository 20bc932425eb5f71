/** Spellings of one architecture, that of the registry first. */
const SPELLINGS: readonly (readonly [string, ...string[]])[] = [
  ['x86_64', 'amd64'],
  ['aarch64', 'arm64'],
];

/** The name that all spellings of an architecture share, in any case. */
export function canonicalName(architecture: string): string {
  const name = architecture.toLowerCase();
  return SPELLINGS.find((each) => each.includes(name))?.[0] ?? name;
}

/** Every spelling of an architecture, this one among them. */
export function spellingsOf(name: string): readonly string[] {
  return SPELLINGS.find((each) => each.includes(name)) ?? [name];
}
