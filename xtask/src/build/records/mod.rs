//! The records beside an ISO. BUILD_INFO, ledger, manifests, SHA256SUMS and packages.txt are
//! reproducible. Values that differ from run to run go to build.json.

pub(crate) mod earlier;
pub(crate) mod tree;

use crate::build::{BuildFacts, EpochFrom};
use crate::builder_image::{BuilderImage, EngineImage};
use crate::engine::EngineKind;
use crate::engine::vm::{self, Measured};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::time::Duration;
use walkdir::WalkDir;
use xtask_core::deb822;
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;
use xtask_core::facts::host::DiskSpace;
use xtask_core::facts::upstream::UpstreamOrigin;
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::records::MANIFESTS;
use xtask_core::records::environment::Environment;
use xtask_core::records::ledger::{Artefact, Ledger};
use xtask_core::records::manifest::{self, Manifest};
use xtask_core::records::published::{BuildInfo, Published, manifest_name};

/// Word of the field Derivative-Maker for an image that was built from the candidate of a bump.
const CANDIDATE: &str = "candidate";

/// Path of the log in a result.
pub(crate) const BUILD_LOG: &str = "logs/build.log";

/// A finished stage.
#[derive(Debug)]
pub(crate) struct StageRecord {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// Time for hashing the artefacts, while the next stage worked.
    pub(crate) hashed: Duration,
    pub(crate) artefacts: Vec<Artefact>,
    /// Manifests of the artefacts that are trees, with the artefacts' paths.
    pub(crate) manifests: Vec<(String, Manifest)>,
}

/// The finished image.
pub(crate) struct FinishedIso {
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

/// Records that the recipe's entry wrote to out/records. A missing one is empty.
struct Inside {
    packages: String,
    tools: String,
    inrelease: String,
}

impl Inside {
    fn read(out: &Path) -> Inside {
        let text =
            |name: &str| record_file::text(&out.join("records").join(name)).unwrap_or_default();
        Inside {
            packages: text("packages.txt"),
            tools: text("tools.txt"),
            inrelease: text("inrelease.txt"),
        }
    }
}

/// Writes all records into `result`, which contains the ISO already.
pub(crate) fn write(
    facts: &BuildFacts,
    out: &Path,
    result: &Path,
    iso: &FinishedIso,
    stages: &[StageRecord],
    run: &RunFacts,
) -> Result<()> {
    let inside = Inside::read(out);
    let write = |name: &str, text: &str| {
        let path = result.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.shown()))
    };
    write("SHA256SUMS", &format!("{}  {}\n", iso.digest.hex(), facts.recipe.iso))?;
    write("BUILD_INFO", &build_info(facts, &inside, iso, run))?;
    let artefacts = stages.iter().flat_map(|stage| stage.artefacts.clone()).collect();
    write("ledger", &Ledger(artefacts).to_text())?;
    write_manifests(result, stages)?;
    if !inside.packages.is_empty() {
        write("packages.txt", &inside.packages)?;
    }
    let files = files_of(result)?;
    write("build.json", &format!("{:#}\n", build_json(facts, iso, stages, run, &files)))
}

/// The records of a build that was stopped: of the stages in `stages`. The manifests are written into `dir`.
/// A field that the build had not recorded yet is empty.
pub(crate) fn of_halted(
    facts: &BuildFacts,
    out: &Path,
    dir: Option<&Path>,
    stages: &[StageRecord],
) -> Result<Published> {
    let inside = Inside::read(out);
    if let Some(dir) = dir {
        write_manifests(dir, stages)?;
    }
    let mut text = String::new();
    for (name, value) in known_before(facts) {
        deb822::push_field(&mut text, name, &value);
    }
    push_lines(&mut text, "InRelease", &inside.inrelease);
    Ok(Published {
        dir: dir.unwrap_or(out).to_owned(),
        info: BuildInfo::parse(&text)?,
        ledger: Ledger(stages.iter().flat_map(|stage| stage.artefacts.clone()).collect()),
        packages: inside.packages.lines().map(str::to_owned).collect(),
    })
}

/// A field of many lines, if there are any.
fn push_lines(text: &mut String, name: &str, lines: &str) {
    if !lines.is_empty() {
        let lines: Vec<&str> = lines.lines().collect();
        deb822::push_field(text, name, &format!("\n{}", lines.join("\n")));
    }
}

/// The files of a result: those that are there, and those that follow. Only a folder that holds nothing
/// else may be replaced later ([`xtask_core::replace`]).
fn files_of(result: &Path) -> Result<Vec<String>> {
    let mut files = vec!["build.json".to_owned(), BUILD_LOG.to_owned()];
    for entry in WalkDir::new(result) {
        let entry = entry.context("cannot list the result")?;
        if !entry.file_type().is_dir() {
            let name = entry.path().strip_prefix(result)?;
            files.push(name.to_str().context("a file of the result is not UTF-8")?.to_owned());
        }
    }
    files.sort();
    Ok(files)
}

/// True if an image was built from the candidate of a bump.
pub(crate) fn is_of_candidate(info: &BuildInfo) -> bool {
    info.get("Derivative-Maker").contains(&format!(" ({CANDIDATE}, "))
}

/// The fields that are known before a build begins, in the order of BUILD_INFO.
pub(crate) fn known_before(facts: &BuildFacts) -> Vec<(&'static str, String)> {
    let BuildFacts { source, recipe, epoch, .. } = facts;
    let mut fields = vec![
        ("Format", "silvermetal-build-info/1".to_owned()),
        ("Recipe", recipe.name.clone()),
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Commit", source.commit.to_string()),
        ("Tree", if source.dirty { "dirty" } else { "clean" }.to_owned()),
        ("Engine", facts.engine.kind.name().to_owned()),
    ];
    if facts.engine.kind != EngineKind::Host {
        fields.push(("Builder-Image", facts.image.record()));
    }
    if let Some(upstream) = &facts.upstream {
        let commit = upstream.commit.as_ref().map(ToString::to_string).unwrap_or_default();
        fields.push((
            "Derivative-Maker",
            match upstream.origin {
                UpstreamOrigin::Submodule => commit,
                // never equal to a commit, because such a build is never released
                UpstreamOrigin::Caller => {
                    format!("{commit} (another checkout, {})", upstream.digest)
                }
                UpstreamOrigin::Candidate => format!("{commit} ({CANDIDATE}, {})", upstream.digest),
            },
        ));
    }
    if let Some(shortcuts) = facts.shortcuts.record() {
        // such a build is never released
        fields.push(("Shortcuts", shortcuts));
    }
    if let Some(flavor) = &facts.flavor {
        fields.push(("Flavor", flavor.clone()));
    }
    let from = match epoch.from {
        EpochFrom::Commit => "commit",
        EpochFrom::EnvFile => "source-date-epoch.env",
    };
    fields.extend([
        ("Snapshot", facts.pin.stamp.to_string()),
        ("Apt-Pinned", if facts.mirror.mirror.pinned() { "yes" } else { "no" }.to_owned()),
        ("Source-Date-Epoch", epoch.seconds.to_string()),
        ("Source-Date-Epoch-From", from.to_owned()),
        ("Mksquashfs-Options", facts.mksquashfs_options.clone()),
        ("Locale", "C.UTF-8".to_owned()),
        ("Timezone", "UTC".to_owned()),
    ]);
    fields
}

/// BUILD_INFO: one paragraph in deb822 style (deb822(5)); continuation lines begin with a blank.
fn build_info(facts: &BuildFacts, inside: &Inside, iso: &FinishedIso, run: &RunFacts) -> String {
    let mut text = String::new();
    for (name, value) in known_before(facts) {
        deb822::push_field(&mut text, name, &value);
    }
    if let Some(digest) = run.image.as_ref().and_then(|image| image.digest.as_ref()) {
        deb822::push_field(&mut text, "Builder-Image-Digest", &digest.to_string());
    }
    if let Some(digest) = &run.inputs {
        deb822::push_field(&mut text, "Inputs-Sha256", digest.hex());
    }
    push_lines(&mut text, "InRelease", &inside.inrelease);
    push_lines(&mut text, "Tools", &inside.tools);
    let mut field = |name: &str, value: &str| deb822::push_field(&mut text, name, value);
    if !inside.packages.is_empty() {
        field("Packages", &inside.packages.lines().count().to_string());
        field("Package-List-Sha256", xtask_core::hash::text(&inside.packages).hex());
    }
    field("Iso", &facts.recipe.iso);
    field("Iso-Size", &iso.size.to_string());
    field("Iso-Sha256", iso.digest.hex());
    text
}

/// Writes `manifests/TAR.manifest` for every tree that a stage produced as a tar.
fn write_manifests(result: &Path, stages: &[StageRecord]) -> Result<()> {
    let dir = result.join(MANIFESTS);
    for (name, manifest) in stages.iter().flat_map(|stage| &stage.manifests) {
        let path = dir.join(manifest_name(name));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        fs::write(&path, manifest::to_text(manifest))
            .with_context(|| format!("cannot write {}", path.shown()))?;
    }
    Ok(())
}

/// Facts about this run of the build. They go to build.json, except the digests of the builder image and of
/// the inputs.
pub(crate) struct RunFacts {
    /// Seconds since 1970-01-01 UTC.
    pub(crate) started: u64,
    /// Seconds from the start of the command to the finished ISO.
    pub(crate) seconds: f64,
    pub(crate) environment: Environment,
    /// Facts that were measured inside the machine of engine vm.
    pub(crate) measured: Option<Measured>,
    /// The builder image; `None` on engine host.
    pub(crate) image: Option<EngineImage>,
    pub(crate) command: String,
    /// Digest of the inputs' manifest, if they were saved or used.
    pub(crate) inputs: Option<Digest>,
}

fn build_json(
    facts: &BuildFacts,
    iso: &FinishedIso,
    stages: &[StageRecord],
    run: &RunFacts,
    files: &[String],
) -> serde_json::Value {
    let stages: Vec<_> = stages
        .iter()
        .map(|s| {
            serde_json::json!({
                "name": s.name,
                "seconds": s.took.as_secs_f64(),
                "ledger_seconds": s.hashed.as_secs_f64(),
                "bytes": s.artefacts.iter().map(|artefact| artefact.size).sum::<u64>(),
            })
        })
        .collect();
    let mut record = serde_json::json!({
        "started": run.started,
        "seconds": run.seconds,
        "stages": stages,
        "host": facts.host.name,
        "memory": facts.host.memory,
        "image": match (&facts.engine.client, &facts.image) {
            (Some(client), image) => Some(BuilderImage::name(image, client)),
            (None, image) => facts.vm.as_ref().map(|_| image.record()),
        },
        "measured": run.measured.as_ref().map(Measured::value),
        "mirror": facts.mirror.mirror.debian,
        "mirror_security": facts.mirror.mirror.security,
        "command": run.command,
        "varied": facts.conditions.varied.iter().map(|factor| factor.name()).collect::<Vec<_>>(),
        "iso_sha256": iso.digest.hex(),
        "iso_size": iso.size,
        "files": files,
    });
    if let (Some(record), serde_json::Value::Object(environment)) =
        (record.as_object_mut(), run.environment.value())
    {
        record.extend(environment);
    }
    record
}

/// The environment of a build on this machine; on engine vm, of the machine that it measured. The id of the builder
/// image is known only once it is there.
pub(crate) fn environment(
    facts: &BuildFacts,
    image_id: Option<&str>,
    measured: Option<&Measured>,
) -> Environment {
    let engine = facts.engine.client.as_ref();
    let inside = facts.vm.is_some();
    // a machine that did not tell is not this one
    let of = |inner: fn(&Measured) -> &str, outer: &str| match measured {
        Some(measured) => Some(inner(measured).to_owned()),
        None => (!inside).then(|| outer.to_owned()),
    };
    let object = serde_json::json!({
        "engine": facts.engine.kind.name(),
        "engine_version": match engine {
            Some(client) => client.version().ok(),
            None => facts.vm.as_ref().and_then(|_| vm::version()),
        },
        "image_id": image_id,
        "kernel": of(|inner| &inner.kernel, &facts.host.kernel),
        "cpu": of(|inner| &inner.cpu, &facts.host.cpu).filter(|cpu| !cpu.is_empty()),
        "cpus": measured.map_or(facts.cpus() as u64, |inner| inner.cpus),
        "file_system": DiskSpace::holding(&facts.output).ok().map(|disk| disk.kind),
        "rustc": rustc(&facts.repo.root),
    });
    // a value of this machine that is too long is no fact that helps anybody
    Environment::of(&object).unwrap_or_default()
}

/// Version of the compiler that cargo uses in this checkout, and so of the one that compiled xtask.
fn rustc(root: &Path) -> Option<String> {
    Cmd::new("rustc").arg("--version").current_dir(root).read().ok()
}
