//! The folder of a release: the files to publish, and `release.json`, which lists them. The folder
//! appears complete or not at all.

use super::tag::is_tag;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::hash;
use xtask_core::in_place::{part, put_in_place};
use xtask_core::lock::lock;
use xtask_core::pins::{Commit, Digest};
use xtask_core::record_file::{self, plain_name};
use xtask_core::records::published::BuildInfo;
use xtask_core::records::sums::in_sums;
use xtask_core::removal::remove;
use xtask_core::replace::RecordFile;

const FORMAT: &str = "silvermetal-release/1";
pub(super) const RELEASE_RECORD: RecordFile =
    RecordFile { name: "release.json", mark: "\"silvermetal-release/" };
/// The file that is published last, so that all files that it lists are published before it.
const LAST: &str = "SHA256SUMS";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) tag: String,
    pub(super) test: bool,
    pub(super) commit: Commit,
    pub(super) recipe: String,
    /// File name of the image.
    pub(super) iso: String,
    /// Files in the order of their upload.
    pub(super) files: Vec<ReleaseFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReleaseFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
}

impl Release {
    /// Collects `files` into `folder`, as hard links if possible, and writes `made`, which are names and
    /// contents, and a SHA256SUMS of all of them. An older folder is replaced.
    pub(super) fn write(
        mut self,
        folder: &Path,
        files: &[PathBuf],
        made: &[(String, Vec<u8>)],
    ) -> Result<Release> {
        let above = folder.parent().unwrap_or(folder);
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.shown()))?;
        // another run that makes this release waits
        let alone =
            fs::File::open(above).with_context(|| format!("cannot lock {}", above.shown()))?;
        lock(&alone, "another xtask makes a release")?;
        let partial = part(folder);
        remove(&partial)?;
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.shown()))?;
        for from in files {
            let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let to = partial.join(&name);
            fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop)).with_context(
                || format!("cannot link or copy {} into the release", from.shown()),
            )?;
            self.add(name, &to, folder)?;
        }
        for (name, content) in made {
            self.add_made(name, content, &partial, folder)?;
        }
        let sum = |file: &ReleaseFile| format!("{}  {}\n", file.digest.hex(), file.name);
        let sums: String = self.files.iter().map(sum).collect();
        self.add_made(LAST, sums.as_bytes(), &partial, folder)?;
        let list = partial.join(RELEASE_RECORD.name);
        fs::write(&list, format!("{:#}\n", self.json()))
            .with_context(|| format!("cannot write {}", list.shown()))?;
        put_in_place(&partial, folder, &[RELEASE_RECORD])?;
        Ok(self)
    }

    /// Writes a file into the folder `partial`, which becomes `folder`.
    fn add_made(
        &mut self,
        name: &str,
        content: &[u8],
        partial: &Path,
        folder: &Path,
    ) -> Result<()> {
        let to = partial.join(name);
        fs::write(&to, content).with_context(|| format!("cannot write {}", to.shown()))?;
        self.add(name.to_owned(), &to, folder)
    }

    fn add(&mut self, name: String, file: &Path, folder: &Path) -> Result<()> {
        let (digest, size) = hash::file(file)?;
        self.files.push(ReleaseFile { path: folder.join(&name), name, digest, size });
        Ok(())
    }

    pub(super) fn json(&self) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|f| json!({ "name": f.name, "sha256": f.digest.hex(), "size": f.size }))
            .collect();
        json!({
            "format": FORMAT,
            "tag": self.tag,
            "test": self.test,
            "commit": self.commit.to_string(),
            "recipe": self.recipe,
            "iso": self.iso,
            "files": files,
        })
    }

    /// Reads a folder. Each file must still have the hash that the list gives.
    pub(super) fn read(folder: &Path) -> Result<Release> {
        let folder = &std::path::absolute(folder).context("DIR").or_exit(Code::Usage)?;
        let list = folder.join(RELEASE_RECORD.name);
        let text = record_file::text(&list)
            .with_context(|| {
                format!(
                    "cannot read {}: expected a folder that `cargo xtask release build` made",
                    list.shown()
                )
            })
            .or_exit(Code::Usage)?;
        let release = parse(&text, folder)
            .with_context(|| format!("{}", list.shown()))
            .or_exit(Code::NotReady)?;
        let changed: Vec<String> = release.files.iter().filter_map(ReleaseFile::changed).collect();
        if !changed.is_empty() {
            return Err(Code::NotReady.error(format!(
                "files of the release have changed:\n  {}\n  fix: cargo xtask release build {}{}",
                changed.join("\n  "),
                quoted(&release.tag),
                if release.test { " --test" } else { "" }
            )));
        }
        release.agrees_with_itself().or_exit(Code::NotReady)?;
        Ok(release)
    }

    pub(super) fn iso(&self) -> Result<&ReleaseFile> {
        let found = self.files.iter().find(|file| file.name == self.iso);
        found.with_context(|| format!("the list names no file {}", self.iso))
    }

    /// Fails unless SHA256SUMS, BUILD_INFO and the image agree.
    fn agrees_with_itself(&self) -> Result<()> {
        let text = |name: &str| {
            let file = self.files.iter().find(|file| file.name == name);
            let file = file.with_context(|| format!("the list names no file {name}"))?;
            record_file::text(&file.path)
        };
        let iso = self.iso()?;
        let info = BuildInfo::parse(&text("BUILD_INFO")?)?;
        if in_sums(text(LAST)?.as_bytes(), &self.iso).ok().as_ref() != Some(&iso.digest)
            || info.iso_digest()? != iso.digest
            || info.get("Commit") != self.commit.to_string()
        {
            bail!(
                "SHA256SUMS, BUILD_INFO and {} do not belong together: cargo xtask release build {}",
                iso.path.shown(),
                quoted(&self.tag)
            );
        }
        Ok(())
    }
}

impl ReleaseFile {
    /// Describes the change if the file no longer has the hash that the list gives.
    fn changed(&self) -> Option<String> {
        match hash::file(&self.path) {
            Err(error) => Some(format!("{error:#}")),
            Ok((digest, _)) if digest != self.digest => {
                Some(format!("{}: expected {}, found {digest}", self.path.shown(), self.digest))
            }
            Ok(_) => None,
        }
    }
}

fn parse(text: &str, folder: &Path) -> Result<Release> {
    let json: Value = serde_json::from_str(text).context("not JSON")?;
    let text = |value: &Value, name: &str| {
        value[name].as_str().map(str::to_owned).with_context(|| format!("expected a text `{name}`"))
    };
    let format = text(&json, "format")?;
    if format != FORMAT {
        bail!("expected format {FORMAT}, found {format}");
    }
    let tag = text(&json, "tag")?;
    if !is_tag(&tag) {
        bail!("`{}` is not a tag", tag.shown());
    }
    let files = json["files"].as_array().context("expected a list `files`")?;
    let names: BTreeSet<Option<&str>> = files.iter().map(|file| file["name"].as_str()).collect();
    if names.len() != files.len() {
        bail!("`files` names a file twice: expected each once");
    }
    let file = |value: &Value| {
        let name = plain_name(&text(value, "name")?)?.to_owned();
        Ok(ReleaseFile {
            path: folder.join(&name),
            name,
            digest: format!("sha256:{}", text(value, "sha256")?).parse()?,
            size: value["size"].as_u64().context("expected bytes `size`")?,
        })
    };
    Ok(Release {
        tag,
        test: json["test"].as_bool().context("expected true or false `test`")?,
        commit: text(&json, "commit")?.parse()?,
        recipe: plain_name(&text(&json, "recipe")?)?.to_owned(),
        iso: plain_name(&text(&json, "iso")?)?.to_owned(),
        files: files.iter().map(file).collect::<Result<_>>()?,
    })
}

/// Default folder of a release.
pub(super) fn default_folder(repo: &Repo, tag: &str) -> PathBuf {
    repo.output().join(format!("release-{tag}"))
}
