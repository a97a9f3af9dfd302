//! A published release: SHA256SUMS, BUILD_INFO and more records from a folder or from the web, compared
//! with each other. No token is needed, and nothing of it is believed.

use super::args::ReproduceArgs;
use crate::commands::release::{Package, is_tag};
use anyhow::{Context as _, Error, Result};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::hash;
use xtask_core::http::{Http, Request, Sink, Url};
use xtask_core::interrupt;
use xtask_core::pins::{Commit, Digest};
use xtask_core::record_file::{self, plain_name};
use xtask_core::records::environment::ENVIRONMENT;
use xtask_core::records::ledger::Ledger;
use xtask_core::records::published::{BuildInfo, packed_manifest};
use xtask_core::records::sums::{in_sums, listed_in_sums};
use xtask_core::records::{LARGEST_IMAGE, TREE};
use xtask_core::replace::BUILD_RECORDS;
use xtask_core::ui::Ui;

const SUMS: &str = "SHA256SUMS";
const INFO: &str = "BUILD_INFO";
/// Optional records. They show in which stage or package a rebuild differs from the release, and what
/// machine built that.
const MORE: [&str; 3] = [LEDGER, "packages.txt", ENVIRONMENT];
pub(super) const LEDGER: &str = "ledger";
/// Most manifests. The product's releases have one.
const MOST_MANIFESTS: usize = 16;
/// Most bytes of a record. The records of a release have far fewer.
const LONGEST_RECORD: u64 = 32 << 20;
/// Value of `Format` in BUILD_INFO, the same as in records::build_info.
const FORMAT: &str = "silvermetal-build-info/1";

pub(super) struct PublishedRelease {
    /// The tag, if the user named one.
    pub(super) tag: Option<String>,
    folder: ImagePlace,
    pub(super) info: BuildInfo,
    pub(super) commit: Commit,
    /// Hash of the image in SHA256SUMS, if all lines that name the image agree.
    pub(super) published: Option<Digest>,
    /// The reason why `published` is none.
    no_hash: Option<String>,
    /// The image, if it is on this machine.
    pub(super) iso: Option<ReleaseImage>,
    /// Contradictions between SHA256SUMS, the other records and the image. No build can match all of them.
    pub(super) contradictions: Vec<String>,
    /// Names and contents of the records.
    records: Vec<(String, Vec<u8>)>,
    http: Http,
}

pub(super) struct ReleaseImage {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
}

enum ImagePlace {
    Here(PathBuf),
    Web(Url),
}

impl PublishedRelease {
    /// Gets the release that `named` gives: a folder, a URL, or a tag of this repository.
    pub(super) fn get(
        repo: &Repo,
        args: &ReproduceArgs,
        named: &str,
        ui: &Ui,
    ) -> Result<PublishedRelease> {
        let (folder, tag) = find(repo, args, named).or_exit(Code::Usage)?;
        let whence = match &folder {
            ImagePlace::Here(dir) => dir.shown().to_string(),
            ImagePlace::Web(url) => url.to_string(),
        };
        let http = Http { ca_file: args.build.ca_file.clone(), ..Http::default() };
        let mut records = Vec::new();
        for name in [SUMS, INFO] {
            let found = folder.record(name, &http, ui)?.with_context(|| {
                format!("{whence} has no {name}: expected the folder, or the page, of a release")
            });
            let code = if let ImagePlace::Here(_) = folder { Code::Usage } else { Code::NotReady };
            records.push((name.to_owned(), found.or_exit(code)?));
        }
        for name in MORE {
            let found = folder.record_or_notice(name, &http, ui)?;
            records.extend(found.map(|found| (name.to_owned(), found)));
        }
        let read = || {
            let text = std::str::from_utf8(&records[1].1).context("expected UTF-8")?;
            let info = BuildInfo::parse(text)?;
            let commit = described(&info)?;
            anyhow::Ok((info, commit))
        };
        let (info, commit) =
            read().with_context(|| format!("{whence}/{INFO}")).or_exit(Code::NotReady)?;
        let published = in_sums(&records[0].1, info.get("Iso"));
        let mut release = PublishedRelease {
            tag,
            folder,
            commit,
            no_hash: published.as_ref().err().map(|why| format!("{SUMS}: {why:#}")),
            published: published.ok(),
            iso: None,
            contradictions: Vec::new(),
            info,
            records,
            http,
        };
        release.iso = release.image(args.iso.as_deref())?;
        release.contradictions = release.contradictions();
        Ok(release)
    }

    fn image(&self, named: Option<&Path>) -> Result<Option<ReleaseImage>> {
        let path = match (named, &self.folder) {
            (Some(path), _) => path.to_owned(),
            (None, ImagePlace::Here(dir)) => dir.join(self.info.get("Iso")),
            (None, ImagePlace::Web(_)) => return Ok(None),
        };
        let hashed = |path: &Path| Ok(hash::file(path)?.0);
        let digest = match named {
            Some(_) => Some(hashed(&path).or_exit(Code::Usage)?),
            None => record_file::if_there(&path, hashed).or_exit(Code::Usage)?,
        };
        Ok(digest.map(|digest| ReleaseImage { path, digest }))
    }

    fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let Some(published) = &self.published else {
            return self.no_hash.iter().cloned().collect();
        };
        if self.info.get("Iso-Sha256") != published.hex() {
            found.push(format!(
                "{SUMS} says {}, {INFO} says {}",
                published.hex(),
                self.info.get("Iso-Sha256")
            ));
        }
        if let Some(image) = self.iso.as_ref().filter(|image| image.digest != *published) {
            found.push(format!(
                "{SUMS} says {}, {} hashes to {}",
                published.hex(),
                image.path.shown(),
                image.digest.hex()
            ));
        }
        found.extend(
            self.records.iter().filter_map(|(name, content)| self.not_as_listed(name, content)),
        );
        found
    }

    /// The contradiction that SHA256SUMS has another hash of a record. Older releases list only the image.
    fn not_as_listed(&self, name: &str, content: &[u8]) -> Option<String> {
        let listed = match listed_in_sums(self.sums(), name) {
            Ok(listed) => listed?,
            Err(why) => return Some(format!("{SUMS}: {why:#}")),
        };
        let digest = hash::bytes(content);
        (listed != digest).then(|| {
            let (listed, digest) = (listed.hex(), digest.hex());
            format!("{SUMS} says {listed} of {name}, which hashes to {digest}")
        })
    }

    fn sums(&self) -> &[u8] {
        self.record(SUMS).unwrap_or_default()
    }

    /// Content of a record.
    pub(super) fn record(&self, name: &str) -> Option<&[u8]> {
        let found = self.records.iter().find(|(of, _)| of == name);
        found.map(|(_, content)| content.as_slice())
    }

    /// Names of the manifests that the ledger of the release lets expect: one of each tree.
    fn possible_manifests(&self) -> BTreeSet<String> {
        let text = String::from_utf8_lossy(self.record(LEDGER).unwrap_or_default());
        let ledger = Ledger::parse(&text, Path::new(LEDGER)).unwrap_or_default();
        let trees = ledger.0.iter().filter(|artefact| artefact.path.ends_with(TREE));
        let names = trees.map(|artefact| packed_manifest(&artefact.path));
        names.filter(|name| plain_name(name).is_ok()).take(MOST_MANIFESTS).collect()
    }

    /// Gets the manifests that SHA256SUMS lists. One that cannot be got is told, and done without.
    pub(super) fn get_manifests(&mut self, ui: &Ui) -> Result<()> {
        for name in self.possible_manifests() {
            if listed_in_sums(self.sums(), &name).is_ok_and(|listed| listed.is_none()) {
                continue;
            }
            // somebody may have downloaded the other files only
            if let Some(content) = self.folder.record_or_notice(&name, &self.http, ui)? {
                self.contradictions.extend(self.not_as_listed(&name, &content));
                self.records.push((name, content));
            }
        }
        Ok(())
    }

    /// Downloads the image to `path`, and checks its hash.
    pub(super) fn get_image(&mut self, path: &Path, ui: &Ui) -> Result<()> {
        let iso = self.info.get("Iso");
        let url =
            self.url_of(iso).with_context(|| format!("the release is a folder without {iso}"))?;
        let sink = Sink::File(path, LARGEST_IMAGE);
        let stage = ui.stage(format!("fetch {iso}").as_str());
        let fetched = self.http.send(&Request::get(&url), sink, ui);
        let fetched = fetched.and_then(|answer| answer.expect(&[200]));
        stage.end(fetched.is_ok());
        let digest = match fetched {
            Ok(answer) => answer.digest,
            Err(error) => {
                drop(fs::remove_file(path)); // a part of it is no evidence
                return Err(error);
            }
        };
        if self.published.as_ref() != Some(&digest) {
            let served = format!("{url} serves an image that hashes to {}", digest.hex());
            self.contradictions.push(format!("{served}, which {SUMS} does not say"));
        }
        self.iso = Some(ReleaseImage { path: path.to_owned(), digest });
        Ok(())
    }

    /// Name for the folder of the rebuild.
    pub(super) fn short_name(&self) -> String {
        let commit = self.commit.to_string();
        self.tag.clone().unwrap_or_else(|| commit[..7].to_owned())
    }

    pub(super) fn url_of(&self, name: &str) -> Option<Url> {
        match &self.folder {
            ImagePlace::Here(_) => None,
            ImagePlace::Web(url) => Some(url.child(name)),
        }
    }

    /// URL of the release. `None` for a folder, because its path is private.
    pub(super) fn address(&self) -> Option<String> {
        match &self.folder {
            ImagePlace::Here(_) => None,
            ImagePlace::Web(url) => Some(url.to_string()),
        }
    }

    /// Writes the records as they were published. Those of an earlier run, which this release lacks now,
    /// are removed: they must not be compared with.
    pub(super) fn keep(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        for name in self.names().iter().filter(|name| self.record(name).is_none()) {
            match fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove an older {name}"));
                }
                _ => {}
            }
        }
        // BUILD_INFO first: it shows that the other files are ours, even if this run is killed
        let later = |name: &str| name != BUILD_RECORDS[0].name;
        let mut records: Vec<_> = self.records.iter().collect();
        records.sort_by_key(|(name, _)| later(name));
        for (name, content) in records {
            let path = dir.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.shown()))?;
        }
        Ok(())
    }

    /// Names of all records that the release has or may have.
    pub(super) fn names(&self) -> Vec<String> {
        let known = [SUMS, INFO].into_iter().chain(MORE).map(str::to_owned);
        known.chain(self.possible_manifests()).collect()
    }
}

/// Checks BUILD_INFO by itself, and returns its commit.
fn described(info: &BuildInfo) -> Result<Commit> {
    if info.get("Format") != FORMAT {
        anyhow::bail!("Format: expected {FORMAT}, found `{}`", info.get("Format").shown());
    }
    plain_name(info.get("Iso")).context("Iso")?;
    info.get("Commit").parse().context("Commit")
}

fn find(repo: &Repo, args: &ReproduceArgs, named: &str) -> Result<(ImagePlace, Option<String>)> {
    if named.contains("://") {
        let (url, tag) = of_address(&named.parse()?)?;
        return Ok((ImagePlace::Web(url), tag));
    }
    let path = Path::new(named);
    if path.is_dir() {
        return Ok((ImagePlace::Here(path.canonicalize()?), None));
    }
    if path.is_file() {
        let folder = path.canonicalize()?.parent().unwrap_or(Path::new("/")).to_owned();
        return Ok((ImagePlace::Here(folder), None));
    }
    if !is_tag(named) {
        anyhow::bail!("`{}`: expected a folder, a URL, or a tag like v1.1.0", named.shown());
    }
    let package = Package::read(repo)?;
    let page: Url = args.repository.as_deref().unwrap_or(&package.repository).parse()?;
    Ok((ImagePlace::Web(downloads(&page, named)), Some(named.to_owned())))
}

/// URL under which Gitea serves the files of a release.
fn downloads(page: &Url, tag: &str) -> Url {
    page.child("releases").child("download").child(tag)
}

/// Finds the URL of a release's files, and the tag, from the URL of the release's page, of a file,
/// or of the folder.
fn of_address(url: &Url) -> Result<(Url, Option<String>)> {
    let text = url.as_str().split('?').next().unwrap_or_default().trim_end_matches('/');
    if let Some((page, tag)) = text.rsplit_once("/releases/tag/") {
        return Ok((downloads(&page.parse()?, tag), Some(tag.to_owned()).filter(|t| is_tag(t))));
    }
    let (parent, last) = text.rsplit_once('/').unwrap_or((text, ""));
    let is_file = [SUMS, INFO].contains(&last) || last.ends_with(".iso");
    let folder = if is_file { parent } else { text };
    let tag = folder.rsplit_once("/releases/download/").map(|(_, tag)| tag.to_owned());
    Ok((folder.parse()?, tag.filter(|tag| is_tag(tag))))
}

impl ImagePlace {
    /// The same as [`ImagePlace::record`] for a record that the verdict does not depend on: if it cannot be
    /// read, a notice says so.
    fn record_or_notice(&self, name: &str, http: &Http, ui: &Ui) -> Result<Option<Vec<u8>>> {
        self.record(name, http, ui).or_else(|error| {
            interrupt::check()?;
            ui.notice(&format!("going on without {}: {error:#}", name.shown()));
            Ok(None)
        })
    }

    /// Reads a record. Returns `None` if there is none of that name.
    fn record(&self, name: &str, http: &Http, ui: &Ui) -> Result<Option<Vec<u8>>> {
        match self {
            ImagePlace::Here(dir) => {
                let path = dir.join(name);
                record_file::if_there(&path, record_file::read).or_exit(Code::NotReady)
            }
            ImagePlace::Web(url) => {
                let request = Request::get(&url.child(name));
                let most = Sink::Memory(usize::try_from(LONGEST_RECORD)?);
                let answer = http.send(&request, most, ui).map_err(unreachable)?;
                if answer.status == 404 {
                    return Ok(None);
                }
                Ok(Some(answer.expect(&[200]).map_err(unreachable)?.body))
            }
        }
    }
}

/// Adds the fix to an error: a rebuild needs no server if the records are in a folder.
fn unreachable(error: Error) -> Error {
    if Code::of(&error) == Code::Interrupted {
        return error;
    }
    Code::NotReady.error(format!(
        "{error:#}\n  fix: get {SUMS} and {INFO} in another way, and name their folder: cargo xtask reproduce DIR"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_url_of_a_release_leads_to_its_files() {
        let folder = "https://h/o/r/releases/download/v1.1.0";
        for (address, tag) in [
            ("https://h/o/r/releases/tag/v1.1.0", Some("v1.1.0")),
            ("https://h/o/r/releases/download/v1.1.0/", Some("v1.1.0")),
            ("https://h/o/r/releases/download/v1.1.0/SHA256SUMS", Some("v1.1.0")),
            ("https://h/o/r/releases/download/v1.1.0/silvermetal-base.iso?x=y", Some("v1.1.0")),
        ] {
            let (url, found) = of_address(&address.parse().unwrap()).unwrap();
            assert_eq!((url.as_str(), found.as_deref()), (folder, tag), "{address}");
        }
        let (url, tag) = of_address(&"http://h:8/x/BUILD_INFO".parse().unwrap()).unwrap();
        assert_eq!((url.as_str(), tag), ("http://h:8/x", None));
    }
}
