#!/usr/bin/env bash
# Builds one commit twice and compares the two ISOs: `cargo xtask verify`, with the same arguments.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
exec cargo run --quiet --manifest-path "$root/Cargo.toml" --package xtask-start -- verify "$@"
