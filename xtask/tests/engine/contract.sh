#!/bin/bash
# Entry of a test recipe. Checks the environment that a recipe may rely on, prints the faults, and exits
# with their number. contract.rs starts it; ./rubbish lists words that must not appear anywhere.
set -u

failures=0
is() { # WHAT FOUND EXPECTED
    if [ "$2" != "$3" ]; then
        printf 'FAIL %s: expected %s, found %s\n' "$1" "$3" "$2"
        failures=$((failures + 1))
    fi
}
can() { # WHAT COMMAND…
    local what=$1 said
    shift
    if ! said=$("$@" 2>&1 </dev/null); then
        printf 'FAIL %s: %s\n' "$what" "$said"
        failures=$((failures + 1))
    fi
}
cannot() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@" >/dev/null 2>&1 </dev/null; then
        printf 'FAIL %s\n' "$what"
        failures=$((failures + 1))
    fi
}

printf '@@stage %s\n' "$1"
recipe=/home/user/recipe conf=/home/user/conf out=/home/user/out

# without the variables that every shell adds
names=$(tr '\0' '\n' </proc/$$/environ | cut -d= -f1 | grep -vxE 'PWD|OLDPWD|SHLVL|_' | LC_ALL=C sort | paste -sd' ')
common="SILVERMETAL_APT_DEBIAN SILVERMETAL_APT_PINNED SILVERMETAL_APT_SECURITY SILVERMETAL_HOME"
common="$common SILVERMETAL_ISO SILVERMETAL_JOBS SILVERMETAL_KEYRING"
is arguments "$*" 'one two'
is 'host name' "$(</proc/sys/kernel/hostname)" silvermetal-builder
is folder "$PWD" /home/user
is HOME "$HOME" /home/user
is SILVERMETAL_HOME "$SILVERMETAL_HOME" /home/user
is LC_ALL "$LC_ALL" C.UTF-8
is TZ "$TZ" UTC
is SOURCE_DATE_EPOCH "$SOURCE_DATE_EPOCH" "$(sed -n 's/^SOURCE_DATE_EPOCH=//p' "$conf/source-date-epoch.env")"
is umask "$(umask)" 0022
is 'ISO name' "${SILVERMETAL_ISO%.iso}" "$(basename "${SILVERMETAL_ISO%.iso}")"
is 'the conf folder' "$(grep -c MKSQUASHFS_OPTIONS= "$conf/silvermetal-base.conf")" 1
is /home "$(echo /home/*)" /home/user
can 'the keyring' test -s "$SILVERMETAL_KEYRING"
can 'writing to out' touch "$out/file"
cannot 'the recipe can be written to' touch "$recipe/file"
cannot 'the conf folder can be written to' touch "$conf/file"

case $SILVERMETAL_ISO in
contract-host.iso)
    is variables "$names" "HOME LC_ALL MKSQUASHFS_OPTIONS PATH SILVERMETAL_APT_CACHE $common SOURCE_DATE_EPOCH TZ"
    can 'the package cache' touch "$SILVERMETAL_APT_CACHE/.try"
    rm -f "$SILVERMETAL_APT_CACHE/.try"
    is 'processes in sight' "$(cat /proc/[0-9]*/environ 2>/dev/null | grep -acF -f "$recipe/rubbish")" 0
    ;;
*)
    upstream="SILVERMETAL_UPSTREAM_DEBIAN SILVERMETAL_UPSTREAM_SECURITY"
    is variables "$names" "HOME LC_ALL LOGNAME MKSQUASHFS_OPTIONS PATH SHELL $common $upstream SOURCE_DATE_EPOCH TERM TZ USER"
    is 'PID 1' "$(</proc/1/comm)" systemd
    is user "$(id -un) $(id -u) $(id -g)" 'user 1000 1000'
    is sudo "$(sudo -n id -u)" 0
    is cgroups "$(stat -f -c %T /sys/fs/cgroup)" cgroup2fs
    is 'failed units' "$(sudo -n systemctl --failed --no-legend --plain)" ''
    # not through `can`, which removes it
    if ! [ -t 0 ] || ! [ -t 1 ] || ! [ -t 2 ]; then is 'a terminal' none one; fi
    can 'reopening stderr' bash -c 'echo >/dev/stderr'
    is 'the own host name resolves' "$(getent hosts silvermetal-builder | head -n 1 | cut -d' ' -f1)" 127.0.0.1
    cannot 'the recipe can be written to as root' sudo -n touch "$recipe/file"
    can 'the package cache serves trixie' bash -o pipefail -c \
        'curl -fsS http://127.0.0.1:9977/debian/dists/trixie/InRelease | grep -x "Codename: trixie"'
    for file in /etc/docker-entrypoint-cmd /etc/docker-entrypoint-env; do
        is "mode of $file" "$(sudo -n stat -c '%a %U' $file)" '600 root'
    done
    can 'the extra CA is trusted' grep -qF "$(sed -n 3p /etc/silvermetal/extra-ca.crt)" \
        /etc/ssl/certs/ca-certificates.crt
    is 'the rubbish is nowhere' "$(sudo -n grep -rlaF -f "$recipe/rubbish" /etc /run /proc/[0-9]*/environ \
        /proc/[0-9]*/cmdline 2>/dev/null)" ''
    ;;
esac

echo x >"$out/$SILVERMETAL_ISO"
exit "$failures"
