#!/bin/busybox sh
# The first process of the machine of engine `vm`, in the initramfs: loads the drivers, sets up the network, and
# continues with /run/vm/enter in the builder's tree. vm/initramfs.rs packs it.
set -euo pipefail
PATH=/bin
export PATH

fail() {
    echo "vm: $*" >/dev/ttyS0
    echo "vm: $*" >/dev/console
    sync
    poweroff -f
}

/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

while read -r module; do
    insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

# a snapshot: nothing that is written here outlives the machine
mount -t ext4 -o noatime,noinit_itable /dev/vda /root || fail "cannot mount the builder's tree"

ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    # the addresses of QEMU's user network
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    ip route add default via 10.0.2.2
fi

mount -t tmpfs -o mode=0755 tmpfs /root/run
mkdir /root/run/vm
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none vm /root/run/vm ||
    fail "cannot mount the folder of this run"
for name in proc sys dev; do
    mount --move "/$name" "/root/$name"
done
exec switch_root /root /bin/bash /run/vm/enter
