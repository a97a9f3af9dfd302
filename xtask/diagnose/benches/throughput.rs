//! How fast two images are compared, beside reading and hashing them, and in how much memory.
//!
//! `cargo bench -p diagnose --bench throughput` makes two equal images of 1 GiB;
//! `… -- A B` takes yours. Files are read once before, so that the disk is not what is measured.

use anyhow::{Context as _, Result, ensure};
use base::exec::Cmd;
use layers::source::File;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SIZE: u64 = 1 << 30;

fn main() -> Result<()> {
    // cargo itself passes --bench
    let given: Vec<PathBuf> =
        std::env::args_os().skip(1).filter(|arg| arg != "--bench").map(PathBuf::from).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("throughput-bench");
    fs::create_dir_all(&folder)?;
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
        layers::sha256(&File::open(path)?)?;
    }
    let hashing = show("reading and hashing both", since.elapsed().as_secs_f64());
    let (seconds, peak) = diagnose(&pair, &folder)?;
    show("diagnose", seconds);
    println!("{:.0} % of reading and hashing; peak memory {peak} kB", hashing / seconds * 100.0);
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
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../layers/tests/fixtures/hybrid.iso");
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

/// Seconds, and the peak of resident memory as the kernel counted it.
fn diagnose(pair: &[PathBuf; 2], folder: &Path) -> Result<(f64, u64)> {
    let log = folder.join("log");
    let since = Instant::now();
    let cmd = Cmd::new(env!("CARGO_BIN_EXE_diagnose")).arg("diagnose").args(pair);
    let running = cmd.start(&log)?;
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    let exit = loop {
        if let Some(exit) = running.ended()? {
            break exit;
        }
        let status = fs::read_to_string(&status).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(high.unwrap_or(0));
        sleep(Duration::from_millis(2));
    };
    let seconds = since.elapsed().as_secs_f64();
    ensure!(
        matches!(exit, base::exec::Exit::Code(0 | 1)),
        "diagnose failed: {}",
        fs::read_to_string(&log)?
    );
    Ok((seconds, peak))
}
