//! `cargo xtask release build`: collects a build that `verify` found identical.

use super::candidate::{Candidate, ReleaseBuild};
use super::folder::{RELEASE_RECORD, Release, default_folder};
use super::gitea::MAX_MIB;
use super::package::Package;
use super::tag::is_tag;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::git::CheckoutState;
use xtask_core::facts::host::DiskSpace;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::gzip;
use xtask_core::json;
use xtask_core::pins::build_sh;
use xtask_core::record_file;
use xtask_core::records::MANIFESTS;
use xtask_core::records::environment::{ENVIRONMENT, Environment};
use xtask_core::records::published::{Published, manifest_name, packed_manifest};
use xtask_core::replace::Protected;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask release build                    the verify of HEAD becomes release vVERSION
  cargo xtask release build test-1 --test --from linux/build/output/verify-canary-1a2b3c4";

/// Collect image, hashes, records and verify report in a folder; print its path
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReleaseBuildArgs {
    /// Tag of the release, which names HEAD [default: v and the version in Cargo.toml]
    tag: Option<String>,
    /// Folder of the verify [default: linux/build/output/verify-SHORT-SHA]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Folder for the release [default: linux/build/output/release-TAG]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Make a test release, to try the pipeline: of any recipe, engine, image and mirror. Its tag
    /// begins with `test-`, and its page says that it is not a release of SilverMetal
    #[arg(long)]
    test: bool,
    /// Largest file that the server takes, in MiB
    #[arg(long, value_name = "MIB", default_value_t = MAX_MIB)]
    max_size: u64,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// Records of build A that others need to check a release. A recipe may lack some of them.
const RECORDS: [&str; 3] = ["BUILD_INFO", "ledger", "packages.txt"];

/// `cargo xtask release build`
pub(crate) fn command(repo: &Repo, args: &ReleaseBuildArgs) -> Result<()> {
    let ui = Ui::new(false);
    let tag = match &args.tag {
        Some(tag) => tag.clone(),
        None => Package::read(repo)?.tag(),
    };
    if !is_tag(&tag) {
        return Err(Code::Usage.error(format!(
            "`{}` is not a tag of a release: expected one like v1.1.0",
            tag.shown()
        )));
    }
    let absolute = |dir: &Path, flag: &'static str| {
        std::path::absolute(dir).context(flag).or_exit(Code::Usage)
    };
    let from = match &args.from {
        Some(dir) => absolute(dir, "--from")?,
        None => repo.output().join(format!("verify-{}", CheckoutState::gather(repo)?.short)),
    };
    let folder = match &args.output {
        Some(dir) => absolute(dir, "--output")?,
        None => default_folder(repo, &tag),
    };
    let candidate = Candidate::gather(repo, tag, &from, args.test, args.max_size)?;
    let mut problems = candidate.problems();
    problems.extend(Protected::here(&repo.root).problem(&folder, &[RELEASE_RECORD]));
    if problems.is_empty() {
        problems.extend(no_space(candidate.build.as_ref().ok(), &from, &folder)?);
    }
    refuse(&problems)?;
    let build = candidate.build?;
    let release = Release {
        tag: candidate.tag,
        test: candidate.test,
        commit: candidate.source.commit,
        recipe: build.records.info.get("Recipe").to_owned(),
        iso: build.records.info.get("Iso").to_owned(),
        files: Vec::new(),
    };
    let release = release.write(&folder, &files(&build, &from), &made(&build)?)?;
    if release.test {
        ui.notice("this is a test release: it is marked as such, and is not SilverMetal");
    }
    let pin = build_sh::read(&repo.build_sh())?.map(|pin| pin.to_string());
    let image = build.records.info.get("Builder-Image");
    if !release.test && pin.as_deref() != Some(image) {
        ui.notice(&format!(
            "this commit does not pin the builder image that it was built in ({image}): everybody who rebuilds \
            it must name the image; better: cargo xtask bump-image, commit, and tag that commit"
        ));
    }
    if args.json {
        json::print(&release.json());
    } else {
        answer(format_args!("{}", folder.shown()));
    }
    ui.notice(&format!("next: cargo xtask release publish {}", quoted(&folder)));
    Ok(())
}

/// The problem that the release does not fit on its disk. Files on the same disk are linked.
fn no_space(build: Option<&ReleaseBuild>, from: &Path, folder: &Path) -> Result<Option<Problem>> {
    let device = |path: &Path| {
        let existing = path.ancestors().find_map(|dir| dir.metadata().ok());
        existing.map(|meta| meta.dev())
    };
    let size = build.map_or(0, |build| build.size);
    let free = DiskSpace::holding(folder)?.free;
    Ok((device(from) != device(folder) && free < size).then(|| {
        let what = format!("{}: the image has {size} bytes, {free} are free", folder.shown());
        Problem::new(what, "free some space, or name a folder on another disk: --output DIR")
    }))
}

/// Name and content of the files that tell somebody else's build from this one without the image: the
/// manifests, packed, and the environment.
fn made(build: &ReleaseBuild) -> Result<Vec<(String, Vec<u8>)>> {
    let Published { dir, ledger, .. } = &build.records;
    let mut made: Vec<(String, Vec<u8>)> = Vec::new();
    // two stages may have written one artefact
    let paths: BTreeSet<&str> = ledger.0.iter().map(|artefact| artefact.path.as_str()).collect();
    for artefact in paths {
        let path = dir.join(MANIFESTS).join(manifest_name(artefact));
        if let Some(text) = record_file::if_there(&path, record_file::read)? {
            made.push((packed_manifest(artefact), gzip::pack(&text, gzip::BEST)?));
        }
    }
    let path = dir.join("build.json");
    let of = |text: Vec<u8>| Environment::of(&serde_json::from_slice(&text).context("not JSON")?);
    let environment = record_file::read(&path)
        .and_then(|text| of(text).with_context(|| path.shown().to_string()))
        .or_exit(Code::NotReady)?;
    made.push((ENVIRONMENT.to_owned(), environment.to_text().into_bytes()));
    Ok(made)
}

fn files(build: &ReleaseBuild, from: &Path) -> Vec<PathBuf> {
    let mut files = vec![build.records.iso(), from.join("verify.json")];
    let records = RECORDS.map(|name| build.records.dir.join(name));
    files.extend(records.into_iter().filter(|path| path.exists()));
    files
}
