#!/bin/bash
# Runs once, inside `docker build` (Dockerfile.builder): accounts, packages, settings, and no trace of the mirror.
set -euo pipefail
umask 022 # engines differ: podman's can be set in containers.conf

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# --- package sources
if [[ -n "${APT_MIRROR_DEBIAN:-}" ]]; then
  debian=${APT_MIRROR_DEBIAN} security=${APT_MIRROR_SECURITY:-} check=yes
elif [[ -n "${APT_SNAPSHOT_URL:-}" && -n "${APT_SNAPSHOT_STAMP:-}" ]]; then
  debian=${APT_SNAPSHOT_URL%/}/debian/${APT_SNAPSHOT_STAMP}
  security=${APT_SNAPSHOT_URL%/}/debian-security/${APT_SNAPSHOT_STAMP}
  check=no # the Valid-Until of a snapshot has passed
else
  echo 'error: give APT_SNAPSHOT_URL and APT_SNAPSHOT_STAMP, or APT_MIRROR_DEBIAN, as build arguments' >&2
  exit 2
fi

write_sources() { # DEBIAN_URL SECURITY_URL|'' CHECK_VALID_UNTIL
  local common
  common=$'Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\nCheck-Valid-Until: '$3
  printf 'Types: deb\nURIs: %s\nSuites: trixie trixie-updates\n%s\n' "$1" "${common}"
  if [[ -n "$2" ]]; then
    printf '\nTypes: deb\nURIs: %s\nSuites: trixie-security\n%s\n' "$2" "${common}"
  fi
}
sources=/etc/apt/sources.list.d/debian.sources
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*

# --- settings of apt and dpkg, now and later in the container: retry, patience with a package cache that waits for a server
#     that throttles, no translations, no fsync, no documentation.
#     Debian's own -slim images leave documentation out; a bootstrapped base does not, so the rule is written for both.
cat >/etc/apt/apt.conf.d/80silvermetal <<'CONF'
Acquire::Retries "5";
Acquire::http::Timeout "300";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
CONF
cat >/etc/dpkg/dpkg.cfg.d/silvermetal <<'CONF'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/overrides/*
path-exclude /usr/share/linda/*
# 460 MB of emulators for architectures that nothing is built for. Upstream only requires that the packages are installed.
path-exclude /usr/bin/qemu-*
path-include /usr/bin/qemu-x86_64*
path-include /usr/bin/qemu-img
path-include /usr/bin/qemu-io
path-include /usr/bin/qemu-nbd
CONF
# No package starts a daemon, neither now nor when a build installs more packages.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# --- accounts with fixed ids, before a package makes its own choice
groupadd --system --gid 102 approx
useradd --system --uid 101 --gid 102 --no-create-home --home-dir /var/lib/approx --shell /usr/sbin/nologin approx
groupadd --gid 1000 user
useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash user
chmod 0755 /home/user # apt's own account, _apt, reads packages from folders mounted there

# A fixed machine-id. A random one would differ in each image; with an empty one systemd takes every start for the first.
printf '%s\n' 51beef0051beef0051beef0051beef00 >/etc/machine-id

# --- packages. The certificates come first, over plain http from the same snapshot (apt checks the signatures itself).
#     The other packages follow, over https if the URL says so.
if [[ "${debian}${security}" == *https://* ]]; then
  write_sources "${debian/#https:/http:}" "${security/#https:/http:}" "${check}" >"${sources}"
  apt-get -o APT::Update::Error-Mode=any update
  apt-get install -y --no-install-recommends ca-certificates
fi
write_sources "${debian}" "${security}" "${check}" >"${sources}"
apt-get -o APT::Update::Error-Mode=any update
apt-get -y --no-install-recommends dist-upgrade
# pbuilder would record the mirror that it finds in apt's sources.
printf 'pbuilder pbuilder/mirrorsite string http://127.0.0.1:9977/debian\n' | debconf-set-selections
sed -e 's/#.*//' "${here}/packages.list" | xargs apt-get install -y --no-install-recommends

# --- the stand-in for anon-apt-sources-list; its control file says why it is needed
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600} dpkg-deb --root-owner-group -Zgzip \
  --build "${here}/anon-apt-sources-list" "${here}/anon-apt-sources-list.deb"
dpkg -i "${here}/anon-apt-sources-list.deb"

# --- settings
printf 'user ALL=(ALL:ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/user
chmod 0440 /etc/sudoers.d/user
visudo --strict --check --quiet
install -d -o approx -g approx -m 0755 /var/cache/approx-derivative-maker
install -d -m 0755 /etc/approx-silvermetal /etc/silvermetal
# The journal stays in memory, reads neither the host kernel's messages nor its audit trail, and drops nothing. Alerts
# appear on the console, between the lines of the build: patient-curl says there that it waits.
install -d /etc/systemd/journald.conf.d /etc/systemd/system.conf.d
cat >/etc/systemd/journald.conf.d/silvermetal.conf <<'CONF'
[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
ForwardToConsole=yes
MaxLevelConsole=alert
ForwardToWall=no
RateLimitIntervalSec=0
CONF
cat >/etc/systemd/system.conf.d/silvermetal.conf <<'CONF'
[Manager]
DefaultTimeoutStartSec=30s
DefaultTimeoutStopSec=2s
DefaultTasksMax=infinity
CtrlAltDelBurstAction=none
CONF
# Ctrl-C at the docker client reaches systemd as SIGINT. End as `docker stop` does (130) instead of rebooting (129).
ln -s /usr/lib/systemd/system/halt.target /etc/systemd/system/ctrl-alt-del.target
# The fallback of docker-entrypoint.service (power off, exit code 130) must lose against an exit code that is already set.
install -d /etc/systemd/system/poweroff.target.d
printf '[Unit]\nConflicts=exit.target\n' >/etc/systemd/system/poweroff.target.d/silvermetal.conf
# No /run/nologin, because nothing here would remove it.
ln -s /dev/null /etc/tmpfiles.d/systemd-nologin.conf

# --- remove every trace of the mirror, of apt's state and of the clock
write_sources http://127.0.0.1:9977/debian http://127.0.0.1:9977/debian-security no >"${sources}"
apt-get clean
rm -rf /tmp/builder /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb \
  /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /var/log/journal \
  /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/*- /etc/.pwd.lock \
  /var/lib/systemd/catalog/database /var/lib/systemd/random-seed
