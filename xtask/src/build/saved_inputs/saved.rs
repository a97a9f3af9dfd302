//! `--from-inputs`: checks saved inputs, and copies them into a build's package cache.

use super::layout::{IMAGE, MANIFEST, object};
use super::manifest::InputsManifest;
use crate::builder_image::{ArchivedImage, BuilderImage};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::archive::{Mirror, MirrorOrigin};
use xtask_core::facts::mirror::FoundMirror;
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::hash;
use xtask_core::interrupt;
use xtask_core::pins::Digest;
use xtask_core::record_file;

/// A mirror that does not exist (RFC 2606). approx is told to stay offline, and never asks it.
const NOWHERE: &str = "http://inputs.invalid";

/// A folder of saved inputs. [`Saved::problems`] reports its faults.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) dir: PathBuf,
    /// Digest of the manifest, for BUILD_INFO.
    pub(crate) digest: Digest,
    manifest: InputsManifest,
    /// Files that are missing, or differ from the manifest.
    faults: Vec<String>,
}

impl Saved {
    /// Reads the manifest and hashes every file.
    pub(crate) fn read(dir: &Path) -> Result<Saved> {
        let dir = std::path::absolute(dir).context("--from-inputs")?;
        let path = dir.join(MANIFEST);
        let text = record_file::text(&path)
            .with_context(|| {
                format!(
                    "cannot read {}: --from-inputs takes a folder that --save-inputs made",
                    path.shown()
                )
            })
            .or_exit(Code::Usage)?;
        let manifest = InputsManifest::parse(&text)
            .with_context(|| format!("{}", path.shown()))
            .or_exit(Code::NotReady)?;
        let mut faults = Vec::new();
        for file in &manifest.files {
            match hash::file(&object(&dir, &file.digest)) {
                Ok((digest, _)) if digest == file.digest => {}
                Ok(_) => faults.push(format!("{}: content changed", file.path.shown())),
                Err(error) => {
                    interrupt::check()?;
                    faults.push(format!("{}: missing or unreadable: {error:#}", file.path.shown()));
                }
            }
        }
        Ok(Saved { dir, digest: hash::text(&text), manifest, faults })
    }

    /// A field of the manifest. A missing one is empty.
    pub(crate) fn get(&self, field: &str) -> &str {
        self.manifest.about.get(field)
    }

    pub(crate) fn image(&self) -> BuilderImage {
        let archive = self.dir.join(IMAGE);
        let recorded = self.get("Builder-Image-Digest");
        let normal = ArchivedImage::normal(&archive).map(|(digest, _)| digest);
        BuilderImage::Saved {
            image: ArchivedImage::read(&archive, self.get("Builder-Image-Id")),
            digest: normal.filter(|digest| digest.to_string() == recorded),
            archive,
            record: self.get("Builder-Image").to_owned(),
        }
    }

    /// Takes the place of the mirror: the builder finds the saved files under these names.
    pub(crate) fn mirror(&self) -> FoundMirror {
        let keyring = self.get("Keyring").parse().ok();
        let mirror = Mirror {
            debian: format!("{NOWHERE}/debian"),
            security: (self.get("Security") == "yes").then(|| format!("{NOWHERE}/debian-security")),
            origin: MirrorOrigin::Inputs { pinned: self.get("Apt-Pinned") == "yes" },
            keyring: keyring.map(|digest| object(&self.dir, &digest)),
        };
        FoundMirror { mirror, unreachable: None, passed_over: Vec::new() }
    }

    /// Problems of a build from these inputs: damaged files, and differences from the fields `now` of the
    /// build's BUILD_INFO. `revisions` are its submodules of derivative-maker, as `COMMIT PATH`.
    pub(crate) fn problems(
        &self,
        now: &[(&'static str, String)],
        revisions: &[String],
    ) -> Vec<Problem> {
        let mut found = Vec::new();
        let commit = quoted(self.get("Commit"));
        for (field, fix) in [
            ("Recipe", "build the recipe that they were saved for".to_owned()),
            ("Flavor", "remove --flavor: the saved inputs determine it".to_owned()),
            (
                "Derivative-Maker",
                format!(
                    "git checkout --recurse-submodules {commit}, or pass the --upstream that they were saved with"
                ),
            ),
            ("Snapshot", format!("git checkout --recurse-submodules {commit}")),
        ] {
            let today = now.iter().find(|(name, _)| *name == field);
            let today = today.map_or("", |(_, value)| value.as_str());
            let saved = self.get(field);
            if saved != today {
                let or_none =
                    |value: &str| if value.is_empty() { "none" } else { value }.to_owned();
                let which = match field {
                    "Derivative-Maker" => other_submodules(&self.manifest.submodules, revisions),
                    _ => String::new(),
                };
                found.push(Problem::new(
                    format!(
                        "the inputs in {} are for another build: they were saved with {field} {}, this build has {}{}",
                        self.dir.shown(),
                        or_none(saved).shown(),
                        or_none(today).shown(),
                        which.shown()
                    ),
                    fix,
                ));
            }
        }
        if !self.faults.is_empty() {
            const SHOWN: usize = 5;
            let shown = self.faults.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            let more = match self.faults.len().saturating_sub(SHOWN) {
                0 => String::new(),
                n => format!("; and {n} more"),
            };
            found.push(Problem::new(
                format!("the inputs in {} are damaged: {shown}{more}", self.dir.shown()),
                "restore the folder from a good copy: every file is named by its SHA-256",
            ));
        }
        found
    }

    /// A note for the user, in one line.
    pub(crate) fn notice(&self, commit: &str) -> String {
        let other = match self.get("Commit") {
            saved if saved == commit => String::new(),
            saved => format!("; they were saved at commit {}, and this is {commit}", saved.shown()),
        };
        format!("no network: packages and image come from {}{other}", self.dir.shown())
    }

    /// Copies the saved files into a build's package cache. They are not linked, because the builder may
    /// write to its cache.
    pub(crate) fn restore(&self, cache: &Path) -> Result<()> {
        for file in &self.manifest.files {
            let to = cache.join(&file.path);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.shown()))?;
            }
            fs::copy(object(&self.dir, &file.digest), &to)
                .with_context(|| format!("cannot restore {}", file.path))?;
        }
        Ok(())
    }
}

/// The submodules that differ, each with its two commits; empty if all are the same. Lines are
/// `COMMIT PATH`.
fn other_submodules(saved: &[String], now: &[String]) -> String {
    type Commits<'a> = std::collections::BTreeMap<&'a str, [Option<&'a str>; 2]>;
    let mut commits = Commits::new();
    for (n, lines) in [saved, now].into_iter().enumerate() {
        for (commit, path) in lines.iter().filter_map(|line| line.split_once(' ')) {
            commits.entry(path).or_default()[n] = Some(commit);
        }
    }
    let short = |commit: Option<&str>| {
        commit.map_or("missing".to_owned(), |commit| commit.chars().take(12).collect())
    };
    let differ: Vec<String> = commits
        .iter()
        .filter(|(_, [saved, now])| saved != now)
        .map(|(path, [saved, now])| format!("{path} was {}, is {}", short(*saved), short(*now)))
        .collect();
    if differ.is_empty() { String::new() } else { format!("; in it, {}", differ.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::other_submodules;

    #[test]
    fn submodules_of_another_tree_are_named() {
        let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        let saved = lines(&["aaaaaaaaaaaaaaaa one", "bbbb two", "cccc three"]);
        let now = lines(&["aaaaaaaaaaaaaaaa one", "dddddddddddddddd two", "eeee four"]);
        assert_eq!(other_submodules(&saved, &saved), "");
        assert_eq!(
            other_submodules(&saved, &now),
            "; in it, four was missing, is eeee; three was cccc, is missing; two was bbbb, is dddddddddddd"
        );
    }
}
