#!/bin/bash
# Runs when the container's command has ended. Passes its exit code to systemd, which ends the container with that code.
# systemd sets EXIT_CODE (exited, killed, dumped) and EXIT_STATUS (a number, or a signal's name without SIG).
set -euo pipefail

# Something else is already stopping the container (docker stop, Ctrl-C), so the command's exit code does not count.
if [[ "$(systemctl is-system-running || true)" == stopping ]]; then
  exit 0
fi

case "${EXIT_CODE:-}" in
  exited) status=${EXIT_STATUS} ;;
  killed | dumped) status=$((128 + $(kill -l "${EXIT_STATUS}"))) ;;
  *) status=125 ;; # the command never ran
esac
exec systemctl exit "${status}"
