#!/bin/bash
# PID 1 of the namespaces that engine `host` builds in (host.rs starts it); its mounts and processes
# end with it. A tmpfs with the binds goes over /home: the paths are the builder's, and the homes of
# this host's users are out of sight.
# usage: enter-host.sh MOUNT_POINT RECIPE CONF OUT CACHE KEYRING|'' COMMAND…
set -euo pipefail

staging=$1 recipe=$2 conf=$3 out=$4 cache=$5 keyring=$6
shift 6
umask 022
echo "$HOST_NAME" >/proc/sys/kernel/hostname
unset HOST_NAME

bind() { # FROM TO ro|rw
    mount --bind "$1" "$2"
    mount -o "remount,bind,$3" "$2"
}
mount -t tmpfs -o mode=0755,size=16m silvermetal "$staging"
mkdir -p "$staging"/user/{recipe,conf,out,apt-cache}
bind "$recipe" "$staging/user/recipe" ro
bind "$conf" "$staging/user/conf" ro
bind "$out" "$staging/user/out" rw
bind "$cache" "$staging/user/apt-cache" rw
if [ -n "$keyring" ]; then
    : >"$staging/user/mirror-keyring.gpg"
    bind "$keyring" "$staging/user/mirror-keyring.gpg" ro
fi
mount --move "$staging" /home
cd /home/user
exec "$@"
