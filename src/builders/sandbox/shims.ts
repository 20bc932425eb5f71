/**
 * Stands before /usr/bin/mount in the sandbox's PATH: kiwi says `mount -n --bind /dev …`, and a user namespace refuses
 * a bind that would leave out (and so uncover) what is mounted below.
 */
const MOUNT = `#!/bin/sh
case "$1 $2" in
  '-n --bind') shift 2; exec /usr/bin/mount -n --rbind "$@" ;;
  '--bind '*) shift; exec /usr/bin/mount --rbind "$@" ;;
esac
exec /usr/bin/mount "$@"
`;

/** Debian's name of the architecture that debootstrap makes a root of, where it is not the host's. */
export const DEBOOTSTRAP_ARCH = 'KILN_DEBOOTSTRAP_ARCH';

/** Stands before /usr/sbin/debootstrap: kiwi's `--target-arch` does not reach it, so that it would take the host's packages. */
const DEBOOTSTRAP = `#!/bin/sh
exec /usr/sbin/debootstrap \${${DEBOOTSTRAP_ARCH}:+--arch="$${DEBOOTSTRAP_ARCH}"} "$@"
`;

/** Programs that stand before those of the host in the sandbox's PATH. */
export const SHIMS: Readonly<Record<string, string>> = { mount: MOUNT, debootstrap: DEBOOTSTRAP };
