#!/usr/bin/env bash
# Builds SilverMetal's ISO once: `cargo xtask iso`, with the same arguments.
#
# The line below is the pin of the builder image, by digest; the environment overrides it.
# `cargo xtask bump-image` writes it. `unpublished`: none has been pushed yet, and one is built locally instead.
set -euo pipefail

BUILDER_IMAGE="${BUILDER_IMAGE:-unpublished}"
export BUILDER_IMAGE

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
exec cargo run --quiet --manifest-path "$root/Cargo.toml" --package xtask-start -- iso "$@"
