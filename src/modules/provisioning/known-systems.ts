/** Distributions as recipes name them, and what provisioning tools call them. */
const NAMES: Readonly<Record<string, { readonly name: string; readonly family: string | null }>> = {
  centos: { name: 'CentOS', family: 'Redhat' },
  debian: { name: 'Debian', family: 'Debian' },
  'opensuse-leap': { name: 'openSUSE-Leap', family: 'Suse' },
  rocky: { name: 'Rocky', family: 'Redhat' },
  sles: { name: 'SLES', family: 'Suse' },
  ubuntu: { name: 'Ubuntu', family: 'Debian' },
};

/** An operating system by its distribution: letters, then the version. */
export interface KnownSystem {
  readonly name: string;
  readonly major: string;
  readonly minor: string;
  readonly family: string | null;
}

/** `debian12` is Debian 12, `ubuntu2404` Ubuntu 24.04; other words are taken as they are, without a version as version 0. */
export function knownSystem(distribution: string): KnownSystem {
  const [, word = distribution, digits = ''] = /^(.*?)[-_.]?(\d*)$/s.exec(distribution) ?? [];
  const known = NAMES[word.toLowerCase()] ?? { name: word === '' ? distribution : word, family: null };
  // Ubuntu's versions are a year and a month.
  const isYearAndMonth = known.name === 'Ubuntu' && digits.length === 4;
  const major = isYearAndMonth ? digits.slice(0, 2) : digits || '0';
  return { ...known, name: known.name.replace(/\s+/g, '-'), major, minor: isYearAndMonth ? digits.slice(2) : '' };
}
