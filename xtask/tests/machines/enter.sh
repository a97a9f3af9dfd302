#!/bin/sh
# enter.sh ROOT CHECKOUT COMMAND…: makes ROOT the root of a mount namespace of its own, and runs COMMAND
# there. CHECKOUT is its /src. Called by root.rs, in new namespaces.
set -eu
root=$1 checkout=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 devices "$root/dev"
for name in null zero full random urandom tty kmsg fuse loop-control; do
    [ -e "/dev/$name" ] || continue
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 terminals "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs memory "$root/dev/shm"
mount -t tmpfs -o mode=755 run "$root/run"
mkdir "$root/run/lock"
mkdir -p "$root/src" "$root/.old"
mount --bind "$checkout" "$root/src"
touch "$root/etc/resolv.conf"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
cd "$root"
pivot_root . .old
umount -l /.old
cd /src
exec env -i HOME=/root LC_ALL=C.UTF-8 TERM=dumb container=other \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
