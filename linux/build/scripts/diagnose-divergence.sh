#!/usr/bin/env bash
# Names the causes of a difference between two ISOs: `cargo xtask diagnose`, with the same arguments.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
exec cargo run --quiet --manifest-path "$root/Cargo.toml" --package xtask-start -- diagnose "$@"
