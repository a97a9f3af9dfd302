//! `verify --compare A B`: compares the records of two builds that were made elsewhere, e.g. on two
//! machines.

use super::args::VerifyArgs;
use super::report;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _, refuse};
use xtask_core::hash;
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::records::published::Published;
use xtask_core::records::sums::in_sums;
use xtask_core::records::verdict::{BuildDifference, Verdict};

/// Fields that must be equal in both records. Otherwise they are not two builds of the same ISO, even if
/// the hashes agree.
const SAME_ISO: [&str; 3] = ["Commit", "Recipe", "Iso"];

pub(super) fn command(args: &VerifyArgs, a: &Path, b: &Path) -> Result<()> {
    let in_the_way = args.output.as_deref().and_then(report::in_the_way);
    refuse(in_the_way.as_slice())?;
    let [a, b] = [read(a)?, read(b)?];
    let [machine_a, machine_b] = [&a, &b].map(|build| machine(&build.dir));
    if a.dir == b.dir || machine_a.is_some() && machine_a == machine_b {
        return Err(Code::Usage.error(format!(
            "{} and {} are the same build: expected the folders of two builds",
            a.dir.shown(),
            b.dir.shown()
        )));
    }
    let looked_at: Vec<bool> =
        [&a, &b].into_iter().map(image_is_as_recorded).collect::<Result<_>>()?;
    let verdict = verdict(&a, &b)?;
    let out = args.output.as_deref();
    let mut text = report::text(&verdict, out.unwrap_or(&a.dir), &report::next_step(&a, &b));
    for (build, _) in [&a, &b].into_iter().zip(&looked_at).filter(|(_, seen)| !**seen) {
        text +=
            &format!("by its record alone, because its image is missing: {}\n", build.dir.shown());
    }
    let host = |build: &Option<Value>| build.as_ref().map(|json| json["host"].clone());
    let facts = json!({
        "recipe": a.info.get("Recipe"),
        "commit": a.info.get("Commit"),
        "engine": a.info.get("Engine"),
        "a": a.dir.to_string_lossy(),
        "b": b.dir.to_string_lossy(),
        "hosts": [host(&machine_a), host(&machine_b)],
        "images_hashed": looked_at,
    });
    let value = report::json(&verdict, facts);
    if let Some(out) = out {
        fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.shown()))?;
        report::keep(out, &text, &value)?;
    }
    report::say(&text, &value, args.what.build.json);
    match verdict {
        Verdict::Identical { .. } => Ok(()),
        Verdict::Differs(_) => Err(Code::No.error("the two builds differ")),
    }
}

fn read(dir: &Path) -> Result<Published> {
    let whole = dir.canonicalize().with_context(|| format!("cannot read {}", dir.shown()));
    Published::read(&whole.or_exit(Code::Usage)?)
        .or_exit(Code::Usage)
        .with_context(|| format!("{}: expected the output folder of a build", dir.shown()))
}

/// build.json: the facts about one run, which are never equal in two builds.
fn machine(dir: &Path) -> Option<Value> {
    serde_json::from_slice(&record_file::read(&dir.join("build.json")).ok()?).ok()
}

/// Checks that the records of a build, and its image if it exists, agree. Returns false if there is no
/// image.
fn image_is_as_recorded(build: &Published) -> Result<bool> {
    let sums = build.dir.join("SHA256SUMS");
    if let Some(text) = record_file::if_there(&sums, record_file::read)? {
        let iso = build.info.get("Iso");
        let recorded = build.info.iso_digest()?;
        let listed = in_sums(&text, iso);
        if listed.as_ref().ok() != Some(&recorded) {
            let why = listed.err().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(Code::Failed.error(format!(
                "{} and BUILD_INFO beside it disagree: expected `{}  {iso}`{why}",
                sums.shown(),
                recorded.hex()
            )));
        }
    }
    let Some((digest, _)) = record_file::if_there(&build.iso(), hash::file)? else {
        return Ok(false);
    };
    check_against_record(build, &digest)?;
    Ok(true)
}

fn verdict(a: &Published, b: &Published) -> Result<Verdict> {
    let (da, db) = (a.info.iso_digest()?, b.info.iso_digest()?);
    if da == db && SAME_ISO.iter().all(|field| a.info.get(field) == b.info.get(field)) {
        let size = a.info.get("Iso-Size");
        let size = size.parse().with_context(|| {
            format!(
                "{}/BUILD_INFO: Iso-Size: expected bytes, found `{}`",
                a.dir.shown(),
                size.shown()
            )
        })?;
        return Ok(Verdict::Identical { digest: da, size });
    }
    Ok(Verdict::Differs(Box::new(BuildDifference::between(a, b)?)))
}

/// Fails if the image has another hash than the record beside it.
pub(super) fn check_against_record(build: &Published, digest: &Digest) -> Result<()> {
    let recorded = build.info.iso_digest()?;
    if recorded == *digest {
        return Ok(());
    }
    Err(Code::Failed.error(format!(
        "{} has changed since it was built: its record says {recorded}, its hash is {digest}; \
         run verify again, without --resume",
        build.iso().shown()
    )))
}
