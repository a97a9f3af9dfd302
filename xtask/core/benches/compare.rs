//! Hashing and comparing two 1 GiB images as `verify` does it, beside `sha256sum A B` and `cmp`.
//!
//! `cargo bench -p xtask-core`; the images are equal, lie in the page cache and go when it ends.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark of our own files")]

use anyhow::{Context as _, Result, ensure};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use xtask_core::exec::Cmd;
use xtask_core::hash;

/// Bytes of an image: 1 GiB.
const SIZE: usize = 1 << 30;
const ROUNDS: usize = 5;

/// Removes its folder.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn main() -> Result<()> {
    let folder = Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare"));
    fs::create_dir_all(&folder.0)?;
    let [a, b] = ["a.iso", "b.iso"].map(|name| folder.0.join(name));
    image(&a)?;
    fs::copy(&a, &b).context("cannot copy the image")?;

    let ours = || -> Result<()> {
        let [(a, _), (b, _)] = hash::both(&a, &b)?;
        ensure!(a == b, "equal images have different hashes");
        Ok(())
    };
    let theirs = |program: &str| -> Result<()> {
        ensure!(Cmd::new(program).args([&a, &b]).output()?.exit.ok(), "{program} failed");
        Ok(())
    };
    let mut rows =
        [("verify's comparison", vec![]), ("sha256sum A B", vec![]), ("cmp A B", vec![])];
    // by turns, so that a busy moment of the machine hits all of them alike
    for _ in 0..ROUNDS {
        rows[0].1.push(seconds(ours)?);
        rows[1].1.push(seconds(|| theirs("sha256sum"))?);
        rows[2].1.push(seconds(|| theirs("cmp"))?);
    }
    let sha256sum = median(&rows[1].1);
    for (name, times) in &rows {
        let median = median(times);
        println!("{name:22} {median:6.2} s   {:5.2} x as fast as sha256sum", sha256sum / median);
    }
    Ok(())
}

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let since = Instant::now();
    work()?;
    Ok(since.elapsed().as_secs_f64())
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Bytes that do not repeat, as a compressed file system's don't (xorshift64).
fn image(path: &Path) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0; 1 << 20];
    for _ in 0..SIZE / block.len() {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    Ok(())
}
