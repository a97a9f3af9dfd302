#!/bin/bash
# Runs when the container's command has ended: hands its exit code to systemd, which ends the container with it.
# systemd sets EXIT_CODE (exited, killed, dumped) and EXIT_STATUS (a number, or a signal's name without SIG).
set -euo pipefail

# Somebody else is already stopping the container (docker stop, Ctrl-C): it is not the command that decides.
if [[ "$(systemctl is-system-running || true)" == stopping ]]; then
  exit 0
fi

case "${EXIT_CODE:-}" in
  exited) status=${EXIT_STATUS} ;;
  killed | dumped) status=$((128 + $(kill -l "${EXIT_STATUS}"))) ;;
  *) status=125 ;; # it never ran
esac
exec systemctl exit "${status}"
