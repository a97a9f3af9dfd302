//! `cargo xtask bump-image`: the builder image pin, in build.sh and builder-image.toml.

use super::edit::{self, FileEdit};
use super::{lock, next_steps, shown};
use crate::builder_image::kept::KeptImage;
use crate::builder_image::provenance::Provenance;
use crate::builder_image::{self, Inputs, labels, published};
use crate::registry::{Refusal, Registry};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use xtask_core::escape::Shown as _;
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::json;
use xtask_core::pins::{Digest, ImageRef, build_sh};
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask bump-image                  the registry's image of today's docker/ folder
  cargo xtask bump-image registry.example.org/silvermetal-builder:latest --dry-run
  cargo xtask bump-image --check          is the pin that of today's docker/ folder?";

/// Pin a builder image by its digest: in build.sh, with its provenance in builder-image.toml
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BumpImageArgs {
    /// registry/name@sha256:…, registry/name:tag, sha256:…; `local` for the image built here and
    /// pushed, `latest-pushed` for the registry's image of today's docker/ folder, or else its latest
    #[arg(value_name = "REF|local|latest-pushed", default_value = LATEST_PUSHED)]
    image: String,
    /// Only tell whether the pin is that of today's docker/ folder and still served: exit 1 if not
    #[arg(long, conflicts_with = "image")]
    check: bool,
    /// Ask no registry: trust the given digest
    #[arg(long)]
    offline: bool,
    /// Show the edits, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// Argument that stands for the image of today's docker/ folder in the repository that was last pushed to, or
/// else for its tag `latest`.
pub(crate) const LATEST_PUSHED: &str = "latest-pushed";

/// Stands behind a commit whose inputs have uncommitted changes.
const DIRTY: &str = "-dirty";

/// An image, and the provenance that its labels record.
struct FoundImage {
    image: ImageRef,
    provenance: Provenance,
}

/// `cargo xtask bump-image`
pub(crate) fn command(repo: &Repo, args: &BumpImageArgs) -> Result<()> {
    let ui = Ui::new(false);
    let today = Inputs::gather(repo)?;
    if args.check {
        return check(repo, args, &today, &ui);
    }
    // unusable files are reported before any registry or engine is asked
    let (mut script, mut record) =
        (FileEdit::of(&repo.build_sh())?, FileEdit::of(&repo.builder_image())?);
    let path = script.path().shown().to_string();
    let refused = |why: String| Code::NotReady.error(format!("{path}: {why}"));
    build_sh::the_one(&script.after).map_err(refused)?;

    let mut found = find(repo, args, &today, &ui)?;
    // another commit with these inputs is no news
    let known = Provenance::read(record.path(), &found.provenance.digest)?;
    let named = |known: &Provenance| !known.commit.is_empty() && !known.commit.ends_with(DIRTY);
    if let Some(known) =
        known.filter(|known| known.inputs == found.provenance.inputs && named(known))
    {
        found.provenance.commit = known.commit;
    }
    script.after = build_sh::replaced(&script.after, &found.image).map_err(refused)?;
    let alone = found.provenance.written_to(&record.after, record.path(), None)?;
    record.after.clone_from(&alone);
    let edits = [record, script];
    let changes = edits.iter().any(FileEdit::changes);
    if args.json {
        let files: Vec<String> =
            edits.iter().filter(|e| e.changes()).map(|e| shown(repo, e.path())).collect();
        json::print(&serde_json::json!({
            "format": "silvermetal-bump-image/1",
            "image": found.image.to_string(), "inputs": found.provenance.inputs,
            "changed": files, "dry_run": args.dry_run,
        }));
    } else {
        for edit in edits.iter().filter(|edit| edit.changes()) {
            answer(format_args!("{}", edit.shown(&shown(repo, edit.path()))));
        }
    }
    if args.dry_run {
        ui.print("nothing was written: --dry-run");
        return Ok(());
    }
    if !changes {
        edit::apply(&edits, &lock(repo))?;
        ui.print(&format!("already pinned: {}", found.image));
        return Ok(());
    }
    write(repo, &found, &edits, alone)?;
    ui.print(&next_steps(repo, &edits));
    Ok(())
}

/// Writes in three steps: both provenances, the pin, the new provenance alone. So the pin in
/// build.sh has its provenance even if a step is killed.
fn write(repo: &Repo, found: &FoundImage, edits: &[FileEdit; 2], alone: String) -> Result<()> {
    let lock = lock(repo);
    let [record, script] = edits;
    let old = build_sh::the_one(script.before()).map_or("", |(_, value)| value);
    // the value `unpublished` has the provenance with an empty digest
    let old = old.split_once('@').map_or("", |(_, digest)| digest);
    let both = found.provenance.written_to(record.before(), record.path(), Some(old))?;
    for (edit, text) in [(record, both), (script, script.after.clone()), (record, alone)] {
        let mut step = FileEdit::of(edit.path())?;
        step.after = text;
        edit::apply(&[step], &lock)?;
    }
    Ok(())
}

fn find(repo: &Repo, args: &BumpImageArgs, today: &Inputs, ui: &Ui) -> Result<FoundImage> {
    let mut asked = reference(repo, args, today)?;
    if args.offline {
        let digest = asked.digest.clone().with_context(|| {
            format!("--offline: `{asked}` has no digest, and only a registry knows it: expected registry/name@sha256:…")
        });
        let digest = digest.or_exit(Code::Usage)?;
        let labels = built_here(repo, &asked, today).unwrap_or_default();
        if labels.is_empty() {
            ui.notice(
                "no registry was asked, and the image was not built here: its provenance stays empty",
            );
        }
        return Ok(FoundImage {
            provenance: Provenance::of(&digest, &labels, commit_with(repo, &labels, today)),
            image: pinned(&asked, digest),
        });
    }
    let registry = Registry::open(&asked, ui)?;
    let todays = published::tag_of(today);
    if args.image == LATEST_PUSHED && registry.manifest(&todays).is_ok() {
        // a job of another branch may have been the last to push
        asked.tag = Some(todays);
    }
    let name = asked.digest.as_ref().map(Digest::to_string).or(asked.tag.clone());
    let manifest = registry.manifest(name.as_deref().unwrap_or(published::LATEST));
    let manifest = manifest.map_err(|refusal| not_served(refusal, &asked))?;
    let labels = registry.labels(&manifest)?;
    if let Some(why) = labels::mismatch(&labels, today) {
        refuse(&[Problem::new(
            format!("{asked} is not the image of today's linux/build/docker: {why}"),
            "push today's image: cargo xtask image push; or pin this one without the comparison: --offline",
        )])?;
    }
    if labels.get(labels::APT_PINNED).is_some_and(|pinned| pinned != "yes") {
        ui.notice("the image's packages came from a mirror, not from the pinned snapshot: it cannot be rebuilt");
    }
    let commit = commit_with(repo, &labels, today);
    let provenance = Provenance::of(&manifest.digest, &labels, commit);
    Ok(FoundImage { provenance, image: pinned(&asked, manifest.digest) })
}

/// This checkout's commit, if the image was built from its inputs; with `-dirty` if they have uncommitted changes.
/// Empty if it is unknown.
fn commit_with(repo: &Repo, labels: &BTreeMap<String, String>, today: &Inputs) -> String {
    if labels::mismatch(labels, today).is_some() {
        return String::new();
    }
    let read = |args: &[&str]| git(&repo.root).args(args).read().ok();
    // the record of the pin lies beside the inputs, and is none
    let inputs = [
        "linux/build/docker",
        "linux/build/config/snapshot-pin.env",
        ":(exclude)linux/build/docker/builder-image.toml",
    ];
    let changes = read(&[&["status", "--porcelain", "--"], &inputs[..]].concat());
    match (read(&["rev-parse", "HEAD"]), changes) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), Some(_)) => format!("{commit}{DIRTY}"),
        _ => String::new(),
    }
}

fn pinned(asked: &ImageRef, digest: Digest) -> ImageRef {
    ImageRef { repository: asked.repository.clone(), tag: None, digest: Some(digest) }
}

fn not_served(refusal: Refusal, asked: &ImageRef) -> anyhow::Error {
    let error = match refusal {
        Refusal::Gone(what) => {
            Code::NotReady.error(format!("{what}: push it first: cargo xtask image push"))
        }
        other => other.into(),
    };
    error.context(format!("{asked}"))
}

/// Resolves the image that the command line names.
fn reference(repo: &Repo, args: &BumpImageArgs, today: &Inputs) -> Result<ImageRef> {
    match args.image.as_str() {
        LATEST_PUSHED => {
            let repository = published::repository(repo)?;
            let last = published::last_pushed(repo).filter(|_| args.offline);
            let newest =
                ImageRef { repository, tag: Some(published::LATEST.to_owned()), digest: None };
            Ok(last.unwrap_or(newest))
        }
        builder_image::LOCAL => local(repo, args, today),
        digest if digest.starts_with("sha256:") => Ok(ImageRef {
            repository: published::repository(repo)?,
            tag: None,
            digest: Some(digest.parse().or_exit(Code::Usage)?),
        }),
        other => other.parse().or_exit(Code::Usage),
    }
}

/// The image that was built here from today's docker/ folder. Its digest is known before any push.
fn local(repo: &Repo, args: &BumpImageArgs, today: &Inputs) -> Result<ImageRef> {
    let kept = KeptImage::find(repo, today).with_context(|| {
        format!(
            "no image of today's linux/build/docker was built here: expected {}; build and push it: cargo xtask image push",
            today.tag()
        )
    });
    let digest = Some(kept.or_exit(Code::NotReady)?.digest);
    let image = ImageRef { repository: published::repository(repo)?, tag: None, digest };
    if args.offline && published::last_pushed(repo).as_ref() != Some(&image) {
        return Err(Code::NotReady.error(format!(
            "--offline: this checkout has not pushed {image}, and only a registry knows whether it is there: push it \
             (cargo xtask image push), or leave out --offline, or name registry/name@sha256:…"
        )));
    }
    Ok(image)
}

/// Labels of the image, if it was built here with the digest asked for.
fn built_here(repo: &Repo, asked: &ImageRef, today: &Inputs) -> Option<BTreeMap<String, String>> {
    let kept = KeptImage::find(repo, today)?;
    let same = asked.digest.as_ref() == Some(&kept.digest);
    same.then(|| kept.labels().ok()).flatten()
}

/// Exits 1 if the pinned image was not built from today's docker/ folder, or the registry lost it.
fn check(repo: &Repo, args: &BumpImageArgs, today: &Inputs, ui: &Ui) -> Result<()> {
    let Some(pin) = build_sh::read(&repo.build_sh())? else {
        ui.print("nothing is pinned yet: each machine builds its own image");
        if args.json {
            json::print(&checked(None, &[]));
        }
        return Ok(());
    };
    let digest = pin.digest.as_ref().map(Digest::to_string).unwrap_or_default();
    let mut findings = Vec::new();
    match Provenance::read(&repo.builder_image(), &digest)? {
        None => findings.push(format!("builder-image.toml records no provenance of {digest}")),
        Some(record) if record.inputs != today.digest.to_string() => findings.push(format!(
            "the pin is stale: it was built from inputs {}, and today's linux/build/docker gives {}",
            if record.inputs.is_empty() { "unknown" } else { &record.inputs },
            today.digest
        )),
        Some(_) => {}
    }
    if !args.offline {
        let registry = Registry::open(&pin, ui)?;
        match registry.manifest(&digest) {
            Ok(manifest) => findings.extend(
                labels::mismatch(&registry.labels(&manifest)?, today)
                    .filter(|_| findings.is_empty())
                    .map(|why| format!("{pin}: {why}")),
            ),
            Err(Refusal::Gone(what)) => findings.push(what),
            Err(other) => return Err(other.into()),
        }
    }
    if args.json {
        json::print(&checked(Some(&pin), &findings));
    } else if findings.is_empty() {
        answer(format_args!("{pin}"));
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Code::No.error(format!(
        "{}\n  fix: cargo xtask image push && cargo xtask bump-image",
        findings.join("\n  ")
    )))
}

/// The result of `--check` for a program.
fn checked(pin: Option<&ImageRef>, findings: &[String]) -> serde_json::Value {
    serde_json::json!({
        "format": "silvermetal-bump-image-check/1",
        "image": pin.map(ToString::to_string), "current": findings.is_empty(), "findings": findings,
    })
}
