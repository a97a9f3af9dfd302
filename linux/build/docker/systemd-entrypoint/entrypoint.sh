#!/bin/bash
# The container's first process. Records the command and its environment, prepares this boot, and becomes systemd.
# README.md beside this file has the contract, the exit codes and the reasons. Prints only errors.
set -euo pipefail

readonly CMD_FILE=/etc/docker-entrypoint-cmd
readonly ENV_FILE=/etc/docker-entrypoint-env
readonly APPROX_CONF=/etc/approx-silvermetal/approx.conf
readonly APPROX_CACHE=/var/cache/approx-derivative-maker
readonly EXTRA_CA=/etc/silvermetal/extra-ca.crt

# Variables that a build may take from outside.
readonly ENV_ALLOWED=(
  LC_ALL TZ SOURCE_DATE_EPOCH MKSQUASHFS_OPTIONS
  SILVERMETAL_UPSTREAM_DEBIAN SILVERMETAL_UPSTREAM_SECURITY
  SILVERMETAL_APT_DEBIAN SILVERMETAL_APT_SECURITY SILVERMETAL_APT_PINNED SILVERMETAL_KEYRING
  SILVERMETAL_APT_OFFLINE
  SILVERMETAL_HOME SILVERMETAL_ISO SILVERMETAL_JOBS SILVERMETAL_FLAVOR SILVERMETAL_UPSTREAM
)

# Units that must not run in a container that shares the host's kernel (--privileged), its cgroups and perhaps its network,
# and units that only cost time.
readonly MASKED=(
  # these would change the host: devices, modules, kernel settings, binary formats, file systems, discards, entropy
  systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket
  systemd-udev-trigger.service systemd-udev-settle.service systemd-udev-load-credentials.service
  systemd-modules-load.service systemd-sysctl.service systemd-binfmt.service binfmt-support.service
  proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount
  kmod-static-nodes.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service
  systemd-remount-fs.service tmp.mount dev-hugepages.mount dev-mqueue.mount
  sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  systemd-random-seed.service haveged.service systemd-pstore.service systemd-rfkill.socket
  e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-journald-audit.socket systemd-networkd.service
  # these would take the host's terminals
  systemd-logind.service getty.target console-getty.service systemd-ask-password-console.path
  systemd-ask-password-wall.path systemd-vconsole-setup.service systemd-user-sessions.service
  # first boot, updates, housekeeping, daemons that the packages bring along
  systemd-firstboot.service systemd-machine-id-commit.service systemd-sysusers.service systemd-update-done.service
  systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-journal-flush.service ldconfig.service
  systemd-tpm2-setup-early.service systemd-tpm2-setup.service systemd-pcrphase-sysinit.service
  systemd-tmpfiles-clean.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer
  systemd-timesyncd.service approx.socket rsync.service stunnel4.service stunnel.target uuidd.socket
)

die() {
  printf 'entrypoint: error: %s\n' "$*" >&2
  exit 2
}

url_or_die() { # NAME
  [[ "${!1}" =~ ^https?://[^[:space:]]+$ ]] || die "$1 is not an http or https URL"
}

[[ $# -gt 0 ]] || die 'no command: give one after the image, for example bash'
# The command's unit writes to /dev/console, which exists only with a terminal. Without one it would hang silently.
[[ -t 0 && -t 1 ]] || die 'no terminal: run the container with -t (docker run -t …)'
[[ $$ -eq 1 ]] || die 'not the first process of the container: do not use --init or another wrapper'

umask 077
{
  for name in "${ENV_ALLOWED[@]}"; do
    [[ -v "${name}" ]] || continue
    [[ "${!name}" != *[[:cntrl:]]* ]] || die "the value of ${name} holds a line break or another control character"
    printf '%s=%q\n' "${name}" "${!name}"
  done
} >"${ENV_FILE}"
{
  cat <<'COMMAND'
# Run as root by docker-entrypoint.service, in an empty environment.
set -e
# The terminal is the user's, as after a login: scripts reopen /dev/stderr.
chown user /dev/console
set -a
. /etc/docker-entrypoint-env
HOME=/home/user USER=user LOGNAME=user SHELL=/bin/bash TERM=dumb
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
set +a
unset OLDPWD
umask 0022
COMMAND
  printf 'exec setpriv --reuid user --regid user --init-groups --'
  printf ' %q' "$@"
  printf '\n'
} >"${CMD_FILE}"
umask 022

# Mirrors that the package cache fetches from.
mapping=''
if [[ -n "${SILVERMETAL_UPSTREAM_DEBIAN:-}" ]]; then
  url_or_die SILVERMETAL_UPSTREAM_DEBIAN
  mapping+="debian ${SILVERMETAL_UPSTREAM_DEBIAN}"$'\n'
fi
if [[ -n "${SILVERMETAL_UPSTREAM_SECURITY:-}" ]]; then
  url_or_die SILVERMETAL_UPSTREAM_SECURITY
  mapping+="debian-security ${SILVERMETAL_UPSTREAM_SECURITY}"$'\n'
fi
# Readable by root and approx only, because a URL may hold a password.
install -m 0640 -g approx /dev/null "${APPROX_CONF}"
# Offline, a copied cache is the only source, and nothing in it counts as out of date.
offline=false
if [[ "${SILVERMETAL_APT_OFFLINE:-no}" == yes ]]; then offline=true; fi
printf '%s\n' "${mapping}\$cache ${APPROX_CACHE}" "\$offline ${offline}" \
  "\$curl_path /usr/local/sbin/patient-curl" >"${APPROX_CONF}"

# The cache outlives the container and may have been filled through another mapping. apt checks package files by their
# content, but indexes only by their name. So indexes are kept only for the same pinned mapping. Empty files are approx's
# records of files that it could not find.
fingerprint=$(sha256sum <"${APPROX_CONF}")
recorded=''
if [[ -f "${APPROX_CACHE}/.mapping" ]]; then
  recorded=$(<"${APPROX_CACHE}/.mapping")
fi
if [[ "${offline}" == false ]] &&
  [[ "${SILVERMETAL_APT_PINNED:-no}" != yes || "${recorded}" != "${fingerprint}" ]]; then
  # Another build may be writing to the cache, so a folder may not be empty at first.
  for _ in {1..50}; do
    if rm -rf -- "${APPROX_CACHE}"/*/dists 2>/dev/null; then break; fi
    sleep 0.1
  done
  printf '%s\n' "${fingerprint}" >"${APPROX_CACHE}/.mapping"
fi
find "${APPROX_CACHE}" -ignore_readdir_race -type f -empty -delete
if [[ "$(stat -c %U "${APPROX_CACHE}")" != approx ]]; then
  chown -R approx:approx "${APPROX_CACHE}"
fi

if [[ -f "${EXTRA_CA}" ]]; then
  install -m 0644 "${EXTRA_CA}" /usr/local/share/ca-certificates/silvermetal-extra.crt
  update-ca-certificates >/dev/null 2>&1 || die "${EXTRA_CA} could not be added to the trusted certificates"
fi

[[ "$(stat -f -c %T /sys/fs/cgroup)" == cgroup2fs ]] ||
  die 'no cgroup v2 on /sys/fs/cgroup: systemd does not boot on v1, nor without -v /sys/fs/cgroup:/sys/fs/cgroup:rw'
# In a cgroup namespace of its own, systemd would take the host's units of the same names for its own and end them.
[[ "$(sed -n 's/^0:://p' /proc/self/cgroup)" != / ]] ||
  die "a cgroup namespace of the container's own: run with --cgroupns=host"

systemctl --quiet mask -- "${MASKED[@]}"

# systemd reads its settings from its own command line. Its messages go to the journal: the terminal is the command's.
exec env --ignore-environment container=docker TERM=dumb LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /usr/lib/systemd/systemd --unit=docker-entrypoint.target --show-status=false \
  --log-level=notice --log-target=journal
