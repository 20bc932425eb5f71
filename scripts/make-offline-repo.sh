#!/bin/bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/make-offline-repo.sh [--arch ARCH] DIR SUITE PACKAGE...

Fills DIR with a small, unsigned Debian repository (dists/ and pool/): every required package of SUITE, apt, and the
named packages with all they depend on, taken from the source of packages that this machine's own apt uses for SUITE.
ARCH is Debian's name of an architecture (amd64, arm64), by default that of this machine.
A recipe then names file://DIR, or file:///repo where Kiln runs with KILN_BUILD_REPOS=DIR, and builds without a network.

Needs apt and apt-utils; no root. Nothing of the machine's own package state is touched.
TEXT
}

arch=
case ${1-} in
  -h | --help) usage; exit 0 ;;
  --arch) arch=${2-}; shift 2 || true ;;
esac
if [ $# -lt 3 ]; then usage >&2; exit 2; fi
target=$1 suite=$2
shift 2
command -v apt-ftparchive >/dev/null || { echo 'apt-ftparchive is missing: install apt-utils (npm run setup:debian)' >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arch=${arch:-$(dpkg --print-architecture)}

# apt itself knows best which sources it has, in whichever format they are written.
apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
  awk -F'|' -v suite="$suite" '$1 == suite && $2 == "main" { print "deb " $3 " " suite " main" }' |
  sort -u > "$work/source.list"
if [ ! -s "$work/source.list" ]; then
  echo "apt of this machine has no source for the component main of $suite" >&2
  exit 1
fi

mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/none" "$work/trusted"
# Which of the machine's keyrings belongs to the source is not told, so all of them count.
for keyring in /etc/apt/trusted.gpg.d/* /etc/apt/keyrings/* /usr/share/keyrings/*-archive-keyring.gpg; do
  if [ -r "$keyring" ]; then cp "$keyring" "$work/trusted/"; fi
done
: > "$work/status"
# An apt of our own: an empty machine, so that dependencies which this one has already are fetched as well.
cat > "$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/source.list";
Dir::Etc::sourceparts "$work/none";
Dir::Etc::trustedparts "$work/trusted";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Debug::NoLocking "true";
CONF

own_apt() {
  APT_CONFIG=$work/apt.conf "$@" > "$work/said" 2>&1 || { tail -n 20 "$work/said" >&2; exit 1; }
}

own_apt apt-get -q update
required=$(APT_CONFIG=$work/apt.conf apt-cache dumpavail |
  awk '/^Package: /{name = $2} /^(Priority: required|Essential: yes)$/{print name}' | sort -u)
# debootstrap takes usr-is-merged for granted wherever a suite has it.
# shellcheck disable=SC2086 # one word a package
own_apt apt-get -q -y --download-only install $required apt usr-is-merged "$@"

release=$target/dists/$suite
index=$release/main/binary-$arch
mkdir -p "$target/pool" "$index"
cp -n "$work"/cache/archives/*.deb "$target/pool/"
(cd "$target" && apt-ftparchive packages pool) > "$index/Packages"
gzip -9nkf "$index/Packages"
# Made elsewhere first: the new file must not list itself.
rm -f "$release/Release"
apt-ftparchive -o "APT::FTPArchive::Release::Suite=$suite" -o "APT::FTPArchive::Release::Codename=$suite" \
  -o 'APT::FTPArchive::Release::Components=main' -o "APT::FTPArchive::Release::Architectures=$arch" \
  release "$release" > "$work/Release"
cp "$work/Release" "$release/Release"
chmod -R a+rX "$target"
