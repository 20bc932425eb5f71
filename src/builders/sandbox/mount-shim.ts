/**
 * Stands before /usr/bin/mount in the sandbox's PATH: kiwi says `mount -n --bind /dev …`, and a user namespace refuses
 * a bind that would leave out (and so uncover) what is mounted below.
 */
export const MOUNT_SHIM = `#!/bin/sh
case "$1 $2" in
  '-n --bind') shift 2; exec /usr/bin/mount -n --rbind "$@" ;;
  '--bind '*) shift; exec /usr/bin/mount --rbind "$@" ;;
esac
exec /usr/bin/mount "$@"
`;
