#!/bin/bash
# PID 1 of the namespaces that engine `host` builds in (host.rs starts it); its mounts and processes
# end with it. A tmpfs with the binds (below $HOME) goes over /home: the paths are the builder's, and the homes of
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
