# Functions that the stages share. Sourced with the recipe's folder as the working directory.
# shellcheck shell=bash

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root. It gets the variables of the contract and no other variable of the caller.
as_root() {
    local name vars=()
    for name in PATH LC_ALL TZ SOURCE_DATE_EPOCH TMPDIR "${!SILVERMETAL_@}"; do
        vars+=("$name=${!name-}")
    done
    if ((EUID == 0)); then
        env -i "${vars[@]}" "$@"
    else
        sudo -n env -i "${vars[@]}" "$@"
    fi
}

# Fails if one of the given tools is missing, and names all that are.
need_tools() {
    local tool missing=()
    for tool; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) ||
        die "not installed: ${missing[*]} (host_packages in recipe.toml names the packages)"
}

for name in SOURCE_DATE_EPOCH SILVERMETAL_APT_DEBIAN SILVERMETAL_HOME SILVERMETAL_ISO; do
    [ -n "${!name-}" ] || die "$name is not set"
done
out=$SILVERMETAL_HOME/out
scratch=$out/tmp
[ "${LC_ALL-} ${TZ-}" = 'C.UTF-8 UTC' ] || die "expected LC_ALL=C.UTF-8 TZ=UTC"
[ -w "$out" ] || die "cannot write to $out"
mkdir -p "$out/records" "$scratch"
export TMPDIR=$scratch
