//! Time of `cargo xtask check` on this repository, as a person types it. At most 300 ms are promised.
//!
//! `cargo xtask --help` beside it shows what cargo's own start takes.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark of our own files")]

use anyhow::{Context as _, Result};
use std::path::Path;
use std::time::Instant;
use xtask_core::exec::Cmd;

const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for command in ["--help", "check"] {
        let cmd = Cmd::new("cargo").env_remove("CARGO").env_remove("CARGO_MANIFEST_DIR");
        let cmd = cmd.current_dir(&root).args(["xtask", command]);
        // builds xtask, and fills shellcheck's cache
        cmd.output()?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let since = Instant::now();
            cmd.output().with_context(|| format!("cannot run {cmd}"))?;
            times.push(since.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        let (median, fastest) = (times[ROUNDS / 2], times[0]);
        println!("cargo xtask {command:8} median {median:6.1} ms, fastest {fastest:6.1} ms");
    }
    Ok(())
}
