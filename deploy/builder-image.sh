#!/bin/bash
# Makes a container image of the builder without a container engine, for clusters without a registry.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/builder-image.sh OUT.tar [NAME:TAG]

Writes an image archive (as `docker save` does) that `ctr --namespace k8s.io images import` takes: Debian with what builds
need, this machine's Node.js, and the compiled Kiln of dist/ (npm run build). Needs mmdebstrap, and root.
TEXT
}

case ${1-} in
  -h | --help) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
esac
out=$(readlink -f "$(dirname "$1")")/$(basename "$1")
name=${2:-localhost/kiln/kiln:1}
root=$(readlink -f "$(dirname "$0")/..")
[ -e "$root/dist/src/builders/program/main.js" ] || { echo 'dist/ is missing: npm run build' >&2; exit 1; }
. /etc/os-release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The package mirror of this machine, whichever way apt names it; only its own release.
{
  cat /etc/apt/sources.list 2> /dev/null | grep -E "^deb [^#]* $VERSION_CODENAME " || true
} > "$work/sources.list"
for file in /etc/apt/sources.list.d/*.sources; do
  [ -e "$file" ] || continue
  awk -v suite="$VERSION_CODENAME" 'BEGIN { RS = ""; ORS = "\n\n" } $0 ~ "(^|\n)Suites:[^\n]*" suite && $0 !~ /-security/' "$file" | grep -v '^#' |
    sed -E "s/^Suites:.*/Suites: $VERSION_CODENAME/; s/^Types:.*/Types: deb/" >> "$work/mirror.sources"
done
sources=("$work/sources.list")
[ -s "$work/sources.list" ] || sources=("$work/mirror.sources")

# The same list as in the Dockerfile.
packages=$(sed -n '/apt-get install/,/rm -rf/p' "$root/Dockerfile" | tr -d '\\' | grep -v -E 'apt-get|rm -rf' | xargs | tr ' ' ,)
mmdebstrap --quiet --variant=minbase --include="$packages,libstdc++6,libatomic1" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --customize-hook="install -D -m 755 '$(command -v node)' \"\$1/usr/local/bin/node\"" \
  --customize-hook="mkdir -p \"\$1/app\" && cp -r '$root/dist' '$root/package.json' \"\$1/app/\"" \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/etc/ssh/ssh_host_*' \
  "$VERSION_CODENAME" "$work/layer.tar" "${sources[@]}"

# An archive of one layer: its digest names it, and the configuration's digest names the image.
layer=$(sha256sum < "$work/layer.tar" | cut -d' ' -f1)
path='PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
printf '{"architecture":"%s","os":"linux","config":{"Env":["%s"],"WorkingDir":"/app"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "$(dpkg --print-architecture)" "$path" "$layer" > "$work/config.json"
config=$(sha256sum < "$work/config.json" | cut -d' ' -f1).json
mv "$work/config.json" "$work/$config"
printf '[{"Config":"%s","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$config" "$name" > "$work/manifest.json"
tar -C "$work" -cf "$out" manifest.json "$config" layer.tar
echo "$out: $name"
