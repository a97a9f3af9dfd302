#!/bin/bash
# Runs in the builder in place of a recipe, and reports each rule of the container contract as a line
# `@@doctor RULE yes|no|skipped TEXT`. contract.rs starts it, and contract_findings.rs reads the lines.
# usage: probe NONCE ARCHIVE/SUITE… | exit CODE | wait
set -u
umask_found=$(umask) # before anything else changes it

case $1 in
exit) exit "$2" ;;
wait)
    echo '@@doctor-waits'
    exec sleep 3600
    ;;
esac
nonce=$2
shift 2
home=$SILVERMETAL_HOME
out=$home/out

say() { # RULE yes|no|skipped TEXT
    printf '@@doctor %s %s %s\n' "$1" "$2" "$(tr -s '\n\r\t' '   ' <<<"$3")"
}
# Prints the error message of a command that fails, and nothing if it succeeds.
complaint() {
    local said
    said=$("$@" 2>&1 </dev/null) || printf '%s: %s' "$*" "${said:-no message}"
}
judge() { # RULE WHAT-HOLDS COMPLAINT
    if [ -z "$3" ]; then say "$1" yes "$2"; else say "$1" no "$3"; fi
}
root() { sudo -n "$@"; }
# Prints a line if the package cache does not serve the InRelease at this address.
unserved() { # URL
    local text
    if ! text=$(curl --fail --silent --show-error --max-time 40 "$1" 2>&1); then
        printf '%s: %s\n' "$1" "$(tr '\n' ' ' <<<"$text")"
    elif ! grep -q '^-----BEGIN PGP SIGNED MESSAGE-----' <<<"$text"; then
        printf '%s is no InRelease\n' "$1"
    fi
}

# --- PID 1, user, terminal
first=$(</proc/1/comm)
if [ "$first" = systemd ] && [ -d /run/systemd/system ]; then
    say systemd-pid-1 yes "$(systemctl --version | head -n 1)"
    for _ in {1..100}; do
        state=$(systemctl is-active docker-entrypoint.target)
        [ "$state" = active ] && break
        sleep 0.1
    done
    failed=$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | paste -sd' ')
    if [ "$state" != active ]; then
        say systemd-target no "docker-entrypoint.target is $state"
    elif [ -n "$failed" ]; then
        say systemd-target no "these units failed: $failed"
    else
        say systemd-target yes 'docker-entrypoint.target is active, no unit failed'
    fi
else
    say systemd-pid-1 no "PID 1 is $first, and $(command -v systemctl || echo systemctl) belongs to no running systemd"
    say systemd-target skipped 'PID 1 is not systemd'
fi
found="$(id -un), uid $(id -u), gid $(id -g), sudo gives uid $(sudo -n id -u 2>&1)"
if [ "$found" = 'user, uid 1000, gid 1000, sudo gives uid 0' ]; then
    say user-and-sudo yes "$found"
else
    say user-and-sudo no "expected user, uid 1000, gid 1000, sudo gives uid 0; found $found"
fi
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then
    say terminal yes "$(tty)"
else
    say terminal no 'stdin, stdout or stderr is no terminal'
fi

# --- the cgroup
own=$(sed -n 's/^0:://p' /proc/1/cgroup)
case $own in
/ | /init.scope | '') say cgroup-namespace no "PID 1 sees itself in ${own:-no cgroup v2}: it has a cgroup namespace of its own" ;;
*) say cgroup-namespace yes "PID 1 is in $own" ;;
esac
folder=/sys/fs/cgroup${own%/init.scope}
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    say cgroup-writable no "/sys/fs/cgroup is $(stat -f -c %T /sys/fs/cgroup): expected cgroup2fs"
else
    judge cgroup-writable "$folder" "$(complaint root mkdir "$folder/doctor")"
    root rmdir "$folder/doctor" 2>/dev/null
fi

# --- the package cache
problem=
port=$(printf '0100007F:%04X' 9977)
inode=$(awk -v port="$port" '$2 == port && $4 == "0A" { print $10 }' /proc/net/tcp)
if [ "$first" = systemd ] && [ "$(systemctl is-enabled approx-derivative-maker.socket 2>&1)" = masked ]; then
    problem='approx-derivative-maker.socket is masked'
elif [ -z "$inode" ]; then
    problem='nothing listens on 127.0.0.1:9977'
elif [ -z "$(root find /proc/1/fd -lname "socket:\[$inode\]")" ]; then
    problem='another process than PID 1 listens on 127.0.0.1:9977'
else
    # All at once: the package cache asks an archive that is not reached again, for half a minute.
    problem=$(for suite; do unserved "http://127.0.0.1:9977/${suite%%/*}/dists/${suite#*/}/InRelease" & done | sort)
    [ -z "$problem" ] || problem="$problem; approx logged: $(root journalctl --quiet --no-pager -o cat -t approx -n 3 2>&1)"
fi
judge package-cache "systemd listens on 127.0.0.1:9977, and it serves $*" "$problem"

# --- operations that a build needs root for
work=$(mktemp -d "$out/.doctor.XXXXXX")
truncate -s 1M "$work/image"
if loop=$(root losetup --find --show "$work/image" 2>&1); then
    say loop-devices yes "$loop"
    root losetup --detach "$loop"
else
    say loop-devices no "losetup: $loop"
fi
mkdir "$work"/{from,to,tmp}
touch "$work/from/here"
judge bind-mounts 'mount --bind' "$(complaint root mount --bind "$work/from" "$work/to")"
[ ! -e "$work/to/here" ] || root umount "$work/to"
judge chroot 'chroot / true' "$(complaint root chroot / /bin/true)"
# shellcheck disable=SC2317,SC2329 # complaint() calls it
null() { root mknod -m 666 "$work/null" c 1 3 && echo x >"$work/null"; }
judge device-nodes "mknod c 1 3 on $out, and writing to it" "$(complaint null)"
# shellcheck disable=SC2317,SC2329 # complaint() calls it
overlay() {
    root mount -t tmpfs tmpfs "$work/tmp" && root mkdir "$work"/tmp/{upper,work,all} &&
        root mount -t overlay overlay -o "lowerdir=$work/from,upperdir=$work/tmp/upper,workdir=$work/tmp/work" "$work/tmp/all" &&
        root touch "$work/tmp/all/new" && root umount "$work/tmp/all"
}
judge overlay-mounts 'mount -t overlay' "$(complaint overlay)"
root umount "$work/tmp" 2>/dev/null
root rm -rf "$work"

# --- mounts
problem=
[ "$(cat "$home/recipe/.doctor-nonce" 2>&1)" = "$nonce" ] || problem="$home/recipe is not that of this checkout;"
[ -s "$home/conf/silvermetal-base.conf" ] || problem="$problem $home/conf holds no silvermetal-base.conf;"
for folder in "$home"/*; do
    case $folder in "$out" | "$home/apt-cache") continue ;; esac
    mountpoint -q "$folder" || continue
    if root touch "$folder/.doctor" 2>/dev/null; then
        problem="$problem $folder can be written to;"
        root rm -f "$folder/.doctor"
    fi
done
judge sources-mounted "$(cd "$home" && echo *)" "$problem"
if echo "$nonce" 2>/dev/null >"$out/.doctor-nonce"; then
    say output-writable yes "$(stat -c 'uid %u writes to %n' "$out/.doctor-nonce")"
else
    say output-writable no "uid $(id -u) cannot write to $out: $(stat -c 'mode %a, uid %u' "$out")"
fi
mounted=$(findmnt --noheadings --output FSTYPE,SOURCE --target "$out" | tail -n 1)
read -r kind source <<<"$mounted"
case $kind:$source in
*:/dev/loop[0-9] | *:/dev/loop[0-9]\[*) say output-on-disk no "the output is on $kind ($source), behind which grub looks for a file" ;;
zfs:* | *:/dev/*) say output-on-disk yes "$kind on $source" ;;
*) say output-on-disk no "the output is on $kind ($source)" ;;
esac

# --- constants of the environment, and secrets
problem=
is() { # WHAT FOUND EXPECTED
    [ "$2" = "$3" ] || problem="$problem $1: expected $3, found $2;"
}
is LC_ALL "${LC_ALL-}" C.UTF-8
is TZ "${TZ-}" UTC
is 'host name' "$(</proc/sys/kernel/hostname)" silvermetal-builder
is folder "$PWD" /home/user
is HOME "$HOME" /home/user
is umask "$umask_found" 0022
[ "$(date +%s)" -ge "${SOURCE_DATE_EPOCH:-0}" ] || problem="$problem the clock is before SOURCE_DATE_EPOCH;"
judge constants "$(date -u +%FT%TZ), C.UTF-8, UTC, silvermetal-builder, umask 0022" "$problem"

problem=
for name in $(tr '\0' '\n' </proc/$$/environ | cut -d= -f1); do
    case $name in
    HOME | USER | LOGNAME | SHELL | PATH | TERM | PWD | OLDPWD | SHLVL | _) ;;
    LC_ALL | TZ | SOURCE_DATE_EPOCH | MKSQUASHFS_OPTIONS | SILVERMETAL_* | DERIVATIVE_APT_REPOSITORY_OPTS) ;;
    flavor_meta_packages_to_install | install_package_list | build_skip_run_functions) ;;
    *) problem="$problem variable $name;" ;;
    esac
done
for name in $(root cat /proc/1/environ | tr '\0' '\n' | cut -d= -f1); do
    case $name in
    container | TERM | LANG | PATH | HOME | HOSTNAME) ;;
    *) problem="$problem variable $name of PID 1;" ;;
    esac
done
for path in /run/docker.sock /run/podman/podman.sock /root/.docker /root/.ssh /root/.gnupg /root/.netrc \
    /root/.git-credentials /root/.config "$HOME"/.docker "$HOME"/.ssh "$HOME"/.gnupg "$HOME"/.netrc; do
    # an empty folder is no secret
    file=$(root find "$path" ! -type d -print -quit 2>/dev/null)
    [ -z "$file" ] || problem="$problem $file;"
done
judge no-secrets 'none of the host'"'"'s variables, keys, logins and sockets' "${problem:+visible inside:$problem}"

printf '@@doctor-engine %s %s\n' "$(df --output=avail -B1 / | tail -n 1 | tr -d ' ')" \
    "$(awk '$1 == "MemTotal:" { printf "%d", $2 * 1024 }' /proc/meminfo)"
exit 42
