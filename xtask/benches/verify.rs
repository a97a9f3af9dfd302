//! Measures a verify of the canary against one build, and the share of the ledger in a build.
//!
//! `cargo bench -p xtask --bench verify [-- --engine host]`: four minutes; results go to target/tmp.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark of our own files")]

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use xtask_core::exec::Cmd;

fn main() -> Result<()> {
    // cargo itself passes --bench
    let more: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verify-bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    // an unmeasured build first, to fill the package cache and build the image
    run("iso", &[], &more, &folder.join("warm"))?;

    let one = run("iso", &[], &more, &folder.join("one"))?;
    let after_another = run("verify", &["--jobs", "1"], &more, &folder.join("jobs-1"))?;
    let at_once = run("verify", &["--jobs", "2"], &more, &folder.join("jobs-2"))?;
    println!("one build             {one:6.1} s");
    println!(
        "verify --jobs 1       {after_another:6.1} s   {:5.2} x one build",
        after_another / one
    );
    println!("verify --jobs 2       {at_once:6.1} s   {:5.2} x one build", at_once / one);
    ledger(&folder.join("one"))?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn run(command: &str, flags: &[&str], more: &[String], output: &Path) -> Result<f64> {
    let since = Instant::now();
    let run = Cmd::new(env!("CARGO_BIN_EXE_xtask"))
        .args([command, "canary"])
        .args(flags)
        .args(more)
        .arg("--output")
        .arg(output);
    let probe = run.output()?;
    ensure!(probe.exit.ok(), "{command} failed:\n{}", probe.stderr);
    Ok(since.elapsed().as_secs_f64())
}

/// Prints from build.json the time of hashing, and how long the build waited for it.
fn ledger(result: &Path) -> Result<()> {
    let path: PathBuf = result.join("build.json");
    let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    let json: Value = serde_json::from_str(&text)?;
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let total = number(&json["seconds"]);
    let mut hashing = 0.0;
    for stage in json["stages"].as_array().context("build.json has no stages")? {
        hashing += number(&stage["ledger_seconds"]);
        println!(
            "  stage {:14}{:6.1} s, hashed in {:5.2} s",
            stage["name"].as_str().unwrap_or_default(),
            number(&stage["seconds"]),
            number(&stage["ledger_seconds"])
        );
    }
    println!(
        "ledger                {hashing:6.2} s   {:5.2} % of the build",
        100.0 * hashing / total
    );
    Ok(())
}
