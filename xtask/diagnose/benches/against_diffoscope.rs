//! diagnose beside diffoscope on the same pair, in one run: time, memory, temporary files, output,
//! and what each found.
//!
//! `cargo bench -p diagnose --bench against_diffoscope -- A B` compares two images;
//! `… -- ISO` makes a pair of a live ISO first (as root): three files of its squashfs differ, both
//! are packed with the options that the ISO has. Needs diffoscope, and for that squashfs-tools and
//! xorriso: `cargo xtask test --full` installs them.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark of our own files")]

#[allow(unreachable_pub, reason = "shared by benchmarks")]
mod support;

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use support::{Taken, measured, scratch};
use xtask_core::exec::Cmd;

/// Runs of diagnose; the one in the middle counts.
const RUNS: usize = 3;

fn main() -> Result<()> {
    // cargo itself passes --bench
    let given: Vec<PathBuf> =
        std::env::args_os().skip(1).filter(|arg| arg != "--bench").map(PathBuf::from).collect();
    let folder = scratch("against-diffoscope")?;
    let pair = match &given[..] {
        [a, b] => [a.clone(), b.clone()],
        [iso] => pair_of(iso, &folder)?,
        [] => return Ok(()), // `cargo bench` without arguments: there is no pair
        _ => bail!("expected two images, or the ISO to make them of"),
    };
    for path in &pair {
        // so that the disk is not what the first run measures
        let bytes =
            fs::File::open(path).and_then(|mut f| std::io::copy(&mut f, &mut std::io::sink()));
        println!("{:8.1} MB  {}", bytes? as f64 / 1e6, path.display());
    }
    let diagnose = Cmd::new(env!("CARGO_BIN_EXE_diagnose")).arg("diagnose");
    // it takes so short a time that one run says little
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(measured(diagnose.clone().args(&pair), &folder)?);
    }
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let text = runs.swap_remove(RUNS / 2);
    let json = measured(diagnose.arg("--json").args(&pair), &folder)?;
    let report = folder.join("report.json");
    let diffoscope = Cmd::new("diffoscope").arg("--json").arg(&report).args(["--text", "-"]);
    let theirs = measured(diffoscope.args(&pair), &folder)?;

    println!(
        "{:12} {:>10} {:>12} {:>14} {:>14}",
        "", "seconds", "memory MB", "temporary MB", "output kB"
    );
    show("diagnose", &text);
    show("diffoscope", &theirs);
    println!("{:.0} times as fast", theirs.seconds / text.seconds);

    let json = json.output.rsplit_once("\nerror:").map_or(json.output.as_str(), |(json, _)| json);
    let json: serde_json::Value = serde_json::from_str(json).context("diagnose --json")?;
    println!("\ndiagnose names:");
    for cause in json["causes"].as_array().into_iter().flatten() {
        println!("  {} ({})", cause["id"].as_str().unwrap_or_default(), cause["count"]);
    }
    println!("  unexplained: {}", json["unexplained"].as_array().map_or(0, Vec::len));
    let report = fs::read(&report).context("diffoscope's report")?;
    let mut found = BTreeSet::new();
    leaves(&serde_json::from_slice(&report)?, &mut found);
    println!("diffoscope ends in {} differences:", found.len());
    for name in found.iter().take(20) {
        println!("  {name}");
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn show(name: &str, taken: &Taken) {
    println!(
        "{name:12} {:10.2} {:12.1} {:14.1} {:14.1}",
        taken.seconds,
        taken.memory as f64 / 1e6,
        taken.temporary as f64 / 1e6,
        taken.output.len() as f64 / 1e3
    );
}

/// Leaves of diffoscope's report, which it did not open further.
fn leaves(json: &serde_json::Value, found: &mut BTreeSet<String>) {
    let details = json["details"].as_array().map_or(&[][..], Vec::as_slice);
    if details.is_empty() {
        found.insert(json["source1"].as_str().unwrap_or_default().to_owned());
    }
    details.iter().for_each(|detail| leaves(detail, found));
}

const SQUASHFS: &str = "live/filesystem.squashfs";

/// Two images that differ in three files: what Kicksecure's differed in when it was measured.
fn pair_of(iso: &Path, folder: &Path) -> Result<[PathBuf; 2]> {
    let run = |cmd: Cmd| cmd.read().map(drop);
    let inside = folder.join("squashfs");
    let xorriso =
        || Cmd::new("xorriso").args(["-abort_on", "FATAL", "-return_with", "FATAL", "32"]);
    run(xorriso()
        .args(["-osirrox", "on", "-indev"])
        .arg(iso)
        .args(["-extract", SQUASHFS])
        .arg(&inside))?;
    let tree = folder.join("tree");
    run(Cmd::new("unsquashfs").args(["-no-progress", "-dest"]).arg(&tree).arg(&inside))?;
    let superblock = fs::read(&inside)?;
    ensure!(superblock.len() > 96 && superblock.starts_with(b"hsqs"), "{SQUASHFS} is none");
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| superblock[at + i]));
    // offsets 8, 12 and 20 of the superblock: time, block size, compressor
    let (time, block) = (number(8).to_string(), number(12).to_string());
    let compressor = match number(20) & 0xffff {
        1 => "gzip",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        other => bail!("{SQUASHFS}: unknown compressor {other}"),
    };
    let sides = [
        ("a", "11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2", "Sun Nov 22 01:02:03 UTC 2026"),
        ("b", "e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d", "Mon Nov 23 04:05:06 UTC 2026"),
    ];
    let mut pair = Vec::new();
    for (side, id, date) in sides {
        for (path, text) in [
            ("etc/nvme/hostid", format!("{id}\n")),
            ("etc/nvme/hostnqn", format!("nqn.2014-08.org.nvmexpress:uuid:{id}\n")),
            (
                "var/lib/dkms/tirdad/0.1/6.12/x86_64/log/make.log",
                format!("DKMS make.log\n{date}\n"),
            ),
        ] {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().context("a path in a folder")?)?;
            fs::write(path, text)?;
        }
        let packed = folder.join(format!("{side}.squashfs"));
        let options = ["-noappend", "-no-progress", "-comp", compressor, "-b", &block];
        let mksquashfs = Cmd::new("mksquashfs").arg(&tree).arg(&packed).args(options);
        run(mksquashfs.env("SOURCE_DATE_EPOCH", &time))?;
        let clamped = UNIX_EPOCH + Duration::from_secs(number(8).into());
        fs::File::options().write(true).open(&packed)?.set_modified(clamped)?;
        let image = folder.join(format!("{side}.iso"));
        let map =
            xorriso().arg("-indev").arg(iso).arg("-outdev").arg(&image).arg("-map").arg(&packed);
        let map = map.args([SQUASHFS, "-boot_image", "any", "replay", "-commit"]);
        run(map.env("SOURCE_DATE_EPOCH", &time))?;
        pair.push(image);
    }
    fs::remove_dir_all(&tree)?;
    <[PathBuf; 2]>::try_from(pair).ok().context("two images")
}
