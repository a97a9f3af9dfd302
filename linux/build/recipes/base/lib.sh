# Functions and paths that the entry and its helpers share. Sourced with the recipe's folder as the
# working directory.
# shellcheck shell=bash disable=SC2034

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

out=$SILVERMETAL_HOME/out
# Upstream's two folders. Their paths inside the builder are constant, wherever the output is, so that
# no path changes a byte of the ISO.
source=/home/user/derivative-maker-copy
binary=/home/user/derivative-binary
