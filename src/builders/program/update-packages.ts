/** Brings every package of an image up to date, with whichever package manager the image has. */
export const UPDATE_PACKAGES = {
  name: 'the update of the OS packages',
  text: `#!/bin/sh
set -e
has() { command -v "$1" > /dev/null 2>&1; }
if has apt-get; then
  apt-get update
  apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold upgrade
  apt-get clean
elif has zypper; then
  zypper --non-interactive --gpg-auto-import-keys refresh
  zypper --non-interactive update
  zypper clean --all
elif has dnf; then
  dnf -y upgrade
  dnf clean all
elif has yum; then
  yum -y update
  yum clean all
else
  echo 'the image has none of apt-get, zypper, dnf and yum' >&2
  exit 1
fi
`,
};
