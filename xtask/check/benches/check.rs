//! How long `check` takes on this repository: the program alone, and as a person types it.
//!
//! `cargo bench -p check`; the promise is 100 ms for the second, on a machine that does nothing
//! else. What cargo itself needs to start something is shown beside it.

use anyhow::{Context as _, Result};
use std::path::Path;
use std::time::Instant;
use xtask_core::exec::Cmd;

const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = || {
        Cmd::new("cargo").current_dir(&root).env_remove("CARGO").env_remove("CARGO_MANIFEST_DIR")
    };
    // built, and shellcheck's answer kept
    cargo().args(["xtask", "check"]).output()?;
    let rows = [
        ("check alone", Cmd::new(env!("CARGO_BIN_EXE_check")).current_dir(&root)),
        ("cargo xtask --help", cargo().args(["xtask", "--help"])),
        ("cargo xtask check", cargo().args(["xtask", "check"])),
    ];
    for (name, cmd) in rows {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let since = Instant::now();
            cmd.output().with_context(|| format!("cannot run {name}"))?;
            times.push(since.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        println!("{name:20} median {:6.1} ms, fastest {:6.1} ms", times[ROUNDS / 2], times[0]);
    }
    Ok(())
}
