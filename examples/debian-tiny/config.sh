#!/bin/bash
# Runs in the new root when its packages are in place. A kernel package with its initrd would be most of the build's
# time, so the initrd is a busybox that says one line and powers off, and the kernel is only a text.
set -euo pipefail

name='{{ IMAGE_NAME }}'
echo "$name" > /etc/hostname

tree=$(mktemp -d)
mkdir "$tree"/{bin,dev}
cp /bin/busybox "$tree/bin/"
cat > "$tree/init" <<INIT
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
echo "BOOT-MARKER $name up" > /dev/console
/bin/busybox poweroff -f
INIT
ln -s /bin/busybox "$tree/bin/sh"
chmod 755 "$tree/init"
(cd "$tree" && find . | busybox cpio -o -H newc | gzip -9n) > /boot/initrd
rm -rf "$tree"

if [ ! -e /boot/vmlinuz ]; then echo "No kernel: $name is made for tests" > /boot/vmlinuz; fi
echo 'console=ttyS0 panic=-1' > /boot/kernel-parameters

# Where the packages came from is the builder's affair.
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log
: > /etc/apt/sources.list
