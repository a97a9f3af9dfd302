#!/bin/bash
# The second process of the machine of engine `vm`: gives the builder what an engine gives its container (host name,
# mounts, cgroup, terminal, environment), runs the entrypoint as PID 1 of a namespace, and keeps its exit code.
# xtask writes /run/vm/run, which sets host_name, dns, scratch, mounts, files, variables and command.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

finish() { # EXIT_CODE
  printf '%s\n' "$1" >/run/vm/exit
  sync
  echo o >/proc/sysrq-trigger
  sleep 60
}
fail() {
  printf 'vm: error: %s\n' "$*" >/dev/hvc0
  finish 125
}

host_name='' dns='' scratch='' mounts=() files=() variables=() command=()
# shellcheck source=/dev/null
. /run/vm/run || fail 'cannot read the plan of this run'

# measured in here, because xtask reports only this
{
  date --utc +%Y-%m-%dT%H:%M:%SZ
  uname -r
  sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1
  nproc
} >/run/vm/measured || fail 'cannot write to the folder of this run'

echo "${host_name}" >/proc/sys/kernel/hostname
printf '127.0.0.1 localhost\n127.0.0.1 %s\n' "${host_name}" >/etc/hosts
echo "${host_name}" >/etc/hostname
rm -f /etc/resolv.conf
printf '%s' "${dns:+nameserver ${dns}
}" >/etc/resolv.conf

mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup || fail 'cannot mount cgroup2'
for controller in $(</sys/fs/cgroup/cgroup.controllers); do
  echo "+${controller}" >/sys/fs/cgroup/cgroup.subtree_control || true
done

for mount in "${mounts[@]}"; do
  IFS=' ' read -r tag mode guest <<<"${mount}"
  mkdir -p "${guest}"
  mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,cache=none,${mode}" "${tag}" "${guest}" ||
    fail "cannot mount ${guest}"
done
for file in "${files[@]}"; do
  IFS=' ' read -r name guest <<<"${file}"
  mkdir -p "$(dirname "${guest}")"
  install -m 0444 "/run/vm/${name}" "${guest}" || fail "cannot write ${guest}"
done
if [[ -n "${scratch}" ]]; then
  # a folder of the machine's own disk: a shared folder has no devices and is slow
  install -d -m 1777 /var/lib/vm-scratch
  mkdir -p "${scratch}"
  mount --bind /var/lib/vm-scratch "${scratch}" || fail "cannot mount ${scratch}"
fi

# Limits of time that the builder sets itself. An emulated processor needs longer, and xtask ends a machine that hangs.
settings=/etc/systemd/system
mkdir -p "${settings}"/docker-entrypoint.{service,target}.d /etc/systemd/system.conf.d
printf '[Service]\nTimeoutStopSec=120s\n' >"${settings}/docker-entrypoint.service.d/vm.conf"
printf '[Unit]\nJobTimeoutSec=1200s\n' >"${settings}/docker-entrypoint.target.d/vm.conf"
printf '[Manager]\nDefaultTimeoutStartSec=600s\nDefaultTimeoutStopSec=60s\n' >/etc/systemd/system.conf.d/vm.conf

# a cgroup below the root, as a container has
mkdir /sys/fs/cgroup/builder
inner() {
  echo 0 >/sys/fs/cgroup/builder/cgroup.procs
  exec unshare --mount --propagation private --pid --fork --mount-proc --kill-child -- \
    bash -c 'mount -t tmpfs -o mode=0755 tmpfs /run && mkdir /run/lock && mount -t tmpfs tmpfs /run/lock &&
      mount --bind /dev/hvc0 /dev/console && exec "$@"' builder \
    env --ignore-environment PATH="${PATH}" "${variables[@]}" \
    /usr/local/sbin/entrypoint.sh "${command[@]}" </dev/hvc0 >/dev/hvc0 2>&1
}
code=0
(inner) || code=$?
finish "${code}"
