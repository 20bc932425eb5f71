#!/bin/bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: npm run setup:debian

Installs the Debian (or Ubuntu) packages that builds and the whole test suite use. Runs as root, else through sudo.
Starts no service, and changes nothing where everything is installed already.
TEXT
}

case ${1-} in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

packages=(
  # Builds of kiwi-ng recipes and their sandbox
  kiwi debootstrap squashfs-tools bubblewrap uidmap slirp4netns python3-jinja2 python3-yaml gpg gpg-agent gpgv rsync zstd
  ca-certificates util-linux mount zypper dnf
  # Offline package repositories
  apt-utils rpm createrepo-c busybox-static
  # Shells into images, and keys for them
  openssh-server openssh-client
  # Recipes of Packer, and programs of other architectures
  packer qemu-user-static binfmt-support
  # Booting what was built, and disks for that
  qemu-system-x86 qemu-utils e2fsprogs
  # Redis as the carrier of the queues
  redis-server
  # A server of the S3 protocol: OpenStack Swift
  swift-proxy swift-account swift-container swift-object memcached
  # OpenStack's identity service, whose tokens Kiln can take, and the image service that Kiln is compared with
  keystone glance-api
  # The namespaces of metadata definitions that come with Glance
  glance-common
  # The clients that the tests drive
  python3-openstackclient python3-glanceclient python3-novaclient python3-openstacksdk python3-boto3 curl jq openssl
  # Foreman's Ansible collection; apypie and hammer come from their projects, and are skipped by name
  ansible
  # OpenStack's tests of an image service
  tempest
)

command -v dpkg-query > /dev/null || { echo 'This is no Debian: dpkg is missing' >&2; exit 1; }

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo 'All packages are installed.'
  exit 0
fi

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}
if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
  echo "Run this as root, or install sudo. Missing: ${missing[*]}" >&2
  exit 1
fi

# Packages start their services when they are installed, unless policy-rc.d forbids it. Only the programs are wanted.
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
  if [ -n "$made_policy" ]; then as_root rm -f "$policy"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
  as_root chmod 755 "$policy"
fi

echo "Installing ${missing[*]}"
install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
}
# The lists may be absent or stale; they are fetched only when the packages cannot be had without.
if ! install; then
  as_root apt-get -q update
  install
fi
