#!/bin/bash
# Runs in the new root when packages, the files of root/ and users are in place.
set -euo pipefail

systemctl enable boot-marker.service systemd-networkd.service

# The kernel's package made an initrd before root/ was copied, so without the modules and the script named there.
update-initramfs -u -k all

# A job that names no files asks for these. Links are followed within the image.
newest() { find /boot -maxdepth 1 -type f -name "$1-*" -printf '%f\n' | sort -V | tail -n 1; }
ln -sf "$(newest vmlinuz)" /boot/vmlinuz
ln -sf "$(newest initrd.img)" /boot/initrd
echo 'root=/dev/vda rootfstype=squashfs ro console=ttyS0 panic=-1' > /boot/kernel-parameters

# Every machine that boots the image is to make an identity of its own.
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

# Where the packages came from is the builder's affair.
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log /var/cache/debconf/*-old
: > /etc/apt/sources.list
