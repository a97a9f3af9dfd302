#!/bin/bash
# Prepares the namespaces of engine `host` and runs the recipe's entry in them. It is PID 1 there, so all
# mounts and processes end with it. host.rs starts it. A tmpfs with the binds covers /home: paths are the
# same as in the builder, and the homes of this host's users are hidden.
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
inside=$staging/${HOME#/home/}
mkdir -p "$inside"/{recipe,conf,out,apt-cache}
bind "$recipe" "$inside/recipe" ro
bind "$conf" "$inside/conf" ro
bind "$out" "$inside/out" rw
bind "$cache" "$inside/apt-cache" rw
if [ -n "$keyring" ]; then
    : >"$inside/mirror-keyring.gpg"
    bind "$keyring" "$inside/mirror-keyring.gpg" ro
fi
mount --move "$staging" /home
cd "$HOME"
exec "$@"
