//! The inputs of the builder image and their hash, which identifies the image before it is built.

use crate::escape::Shown as _;
use crate::facts::repo::Repo;
use crate::facts::snapshot::SnapshotPin;
use crate::failure::{Code, OrExit as _};
use crate::hash;
use crate::pins::Digest;
use crate::record_file;
use anyhow::{Context as _, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use walkdir::WalkDir;

/// Returns true for files in linux/build/docker that the image does not depend on: the record of its
/// provenance, which is written later, and documentation.
fn is_no_input(name: &str) -> bool {
    name == "builder-image.toml" || name.ends_with(".md")
}

/// Version of the way from these inputs to an image. Another way makes another image, so it gets another name.
const WAY: u32 = 2;

/// One of the files that go into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Relative to linux/build/docker.
    pub name: String,
    pub executable: bool,
    /// Path of the file on this machine.
    pub path: PathBuf,
}

/// The files in linux/build/docker that the image depends on, sorted.
pub fn files(repo: &Repo) -> Result<Vec<InputFile>> {
    let docker = repo.docker();
    let mut found = Vec::new();
    for entry in WalkDir::new(&docker).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot list {}", docker.shown()))?;
        if !entry.file_type().is_file() || is_no_input(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        let name = path.strip_prefix(&docker)?.to_str().filter(|name| !name.contains('\n'));
        let name = name
            .with_context(|| format!("{}: expected a name in UTF-8 and in one line", path.shown()));
        found.push(InputFile {
            name: name.or_exit(Code::NotReady)?.to_owned(),
            executable: entry.metadata()?.permissions().mode() & 0o100 != 0,
            path: path.to_owned(),
        });
    }
    Ok(found)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Hash of the files in linux/build/docker (name, executable bit, content) and of the pins.
    pub digest: Digest,
    /// Base image: the default of `BASE_IMAGE` in Dockerfile.builder.
    pub base: String,
    pub stamp: String,
}

impl Inputs {
    pub fn gather(repo: &Repo) -> Result<Inputs> {
        let docker = repo.docker();
        let dockerfile = docker.join("Dockerfile.builder");
        let text = record_file::text(&dockerfile).or_exit(Code::NotReady)?;
        let base = base_image(&text).with_context(|| {
            format!("{}: expected one line ARG BASE_IMAGE=name:tag@sha256:…", dockerfile.shown())
        });
        let base = base.or_exit(Code::NotReady)?;
        let stamp = SnapshotPin::read(repo)?.stamp.to_string();
        let mut listing = format!("way {WAY}\nbase {base}\nsnapshot {stamp}\n");
        for InputFile { name, executable, path } in files(repo)? {
            let (digest, _) = hash::file(&path)?;
            listing += &format!("{} {} {name}\n", digest.hex(), if executable { "x" } else { "-" });
        }
        Ok(Inputs { digest: hash::text(&listing), base, stamp })
    }

    /// Name and tag of an image that is built from these inputs on this machine.
    pub fn tag(&self) -> String {
        format!("silvermetal-builder:{}", &self.digest.hex()[..12])
    }
}

fn base_image(dockerfile: &str) -> Option<String> {
    let mut lines = dockerfile.lines().filter_map(|line| line.strip_prefix("ARG BASE_IMAGE="));
    let base = lines.next().map(str::trim)?;
    (lines.next().is_none() && base.contains("@sha256:")).then(|| base.to_owned())
}
