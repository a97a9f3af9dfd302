//! How fast two images are compared, beside cmp, reading and hashing them, and in how much memory.
//!
//! `cargo bench -p diagnose --bench throughput` makes two equal images of 1 GiB;
//! `… -- A B` takes yours. Files are read once before, so that the disk is not what is measured.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark of our own files")]

#[allow(unreachable_pub, reason = "shared by benchmarks")]
mod support;

use anyhow::{Context as _, Result};
use diskimage::source::LocalFile;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;
use support::{measured, scratch};
use xtask_core::exec::Cmd;

const SIZE: u64 = 1 << 30;

fn main() -> Result<()> {
    // cargo itself passes --bench
    let given: Vec<PathBuf> =
        std::env::args_os().skip(1).filter(|arg| arg != "--bench").map(PathBuf::from).collect();
    let folder = scratch("throughput")?;
    let pair = match &given[..] {
        [a, b] => [a.clone(), b.clone()],
        _ => [made(&folder.join("a"))?, made(&folder.join("b"))?],
    };
    let mut bytes = 0;
    for path in &pair {
        bytes += read(path)?;
    }
    let megabytes = bytes as f64 / 1e6;
    let show = |what: &str, seconds: f64| {
        println!("{what:28} {seconds:8.3} s {:8.0} MB/s", megabytes / seconds);
        seconds
    };
    let since = Instant::now();
    for path in &pair {
        read(path)?;
    }
    show("reading both", since.elapsed().as_secs_f64());
    let since = Instant::now();
    for path in &pair {
        diskimage::sha256(&LocalFile::open(path)?)?;
    }
    let hashing = show("reading and hashing both", since.elapsed().as_secs_f64());
    // of two images that differ, it reads no further than their first difference
    show("cmp", measured(Cmd::new("cmp").args(&pair), &folder)?.seconds);
    let taken =
        measured(Cmd::new(env!("CARGO_BIN_EXE_diagnose")).arg("diagnose").args(&pair), &folder)?;
    let seconds = show("diagnose", taken.seconds);
    let share = hashing / seconds * 100.0;
    let (memory, temporary) = (taken.memory as f64 / 1e6, taken.temporary);
    println!(
        "{share:.0} % of reading and hashing; peak memory {memory:.1} MB; {temporary} bytes of temporary files"
    );
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Reads a file to its end; its bytes.
fn read(path: &Path) -> Result<u64> {
    let mut file = fs::File::open(path).with_context(|| format!("no {}", path.display()))?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(bytes);
        }
        bytes += n as u64;
    }
}

/// An image of 1 GiB: a small one, and behind it what no compressor could make smaller.
fn made(path: &Path) -> Result<PathBuf> {
    let small =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../diskimage/tests/fixtures/hybrid.iso");
    let small = fs::read(small)?;
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    file.write_all(&small)?;
    let mut state = 1_u64;
    for _ in 0..(SIZE - small.len() as u64) / 8 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()?;
    Ok(path.to_path_buf())
}
