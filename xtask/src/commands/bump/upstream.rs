//! A copy of derivative-maker's remote: its revisions, their signatures, and the files in them.

use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::submodule;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::names::nearest;
use xtask_core::ui::Ui;

/// Most commits of the log that are shown.
const LONGEST_LOG: &str = "--max-count=200";
/// Seconds that a fetch from the remote may take.
const FETCH_TIMEOUT: u32 = 900;

/// A bare copy of the remote in the state folder. The submodule itself need not be initialised,
/// and nothing in it changes while revisions are looked up.
pub(super) struct UpstreamCopy {
    dir: PathBuf,
}

/// The signature of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// A good one, with the line in which git names the signer.
    Good(String),
    /// Made with a key that this machine's git does not know or trust.
    Unknown(String),
    /// No signature, with the reason.
    None(&'static str),
}

impl Signature {
    /// The state and the detail, as `--json` reports them.
    pub(super) fn words(&self) -> (&'static str, &str) {
        match self {
            Signature::Good(by) => ("good", by),
            Signature::Unknown(by) => ("unknown key", by),
            Signature::None(why) => ("none", why),
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Signature::Good(by) => format!("a signed tag: {by}"),
            Signature::Unknown(by) => format!(
                "a signed tag, but this machine's git does not know the signer: {by} (import the signer's key, or set gpg.ssh.allowedSignersFile)"
            ),
            Signature::None(why) => format!("NOT SIGNED: {why}"),
        }
    }
}

/// The tags that are most like `rev`.
fn like<'a>(rev: &str, tags: impl Iterator<Item = &'a str>) -> String {
    let mut nearest = nearest(rev, tags);
    nearest.truncate(5);
    if nearest.is_empty() {
        String::new()
    } else {
        format!(" (there are: {}, …)", nearest.join(", "))
    }
}

impl UpstreamCopy {
    pub(super) fn fetch(repo: &Repo, ui: &Ui) -> Result<UpstreamCopy> {
        let url = submodule::url(&repo.root)?;
        // several checkouts may share one target folder
        let name = format!("derivative-maker-{}.git", repo.checkout_id());
        let dir = repo.state().join(name);
        if !dir.exists() {
            git(&repo.root).args(["init", "--quiet", "--bare"]).arg(&dir).read()?;
        }
        // `--force`: a tag that upstream has moved is updated
        let refs = ["+refs/tags/*:refs/tags/*", "+refs/heads/*:refs/heads/*"];
        let fetch = git(&dir).args(["fetch", "--quiet", "--prune", "--force", &url]).args(refs);
        let fetch = fetch.env("GIT_TERMINAL_PROMPT", "0");
        ui.command(&fetch);
        fetch.within_seconds(FETCH_TIMEOUT).read().or_exit(Code::NotReady)?;
        Ok(UpstreamCopy { dir })
    }

    /// Folder of the copy, to fetch from.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn git(&self) -> Cmd {
        git(&self.dir)
    }

    pub(super) fn newest_tag(&self) -> Result<String> {
        let tags = self.git().args(["tag", "--list", "--sort=-version:refname"]).read()?;
        let newest = tags
            .lines()
            .next()
            .context("the remote has no tag: expected one; name a commit instead");
        newest.map(str::to_owned).or_exit(Code::NotReady)
    }

    pub(super) fn commit(&self, rev: &str) -> Result<String> {
        let name = format!("{rev}^{{commit}}");
        let found =
            self.git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).read();
        found.map_err(|_| {
            let tags = self.git().args(["tag", "--list"]).read().unwrap_or_default();
            Code::Usage.error(format!(
                "the remote has no `{}`: expected a tag, a branch or a commit{}",
                rev.shown(),
                like(rev, tags.lines())
            ))
        })
    }

    pub(super) fn is_tag(&self, rev: &str) -> bool {
        self.git().args(["show-ref", "--verify", "--quiet", &format!("refs/tags/{rev}")]).succeeds()
    }

    pub(super) fn signature(&self, rev: &str) -> Result<Signature> {
        if !self.is_tag(rev) {
            return Ok(Signature::None("not a tag"));
        }
        let tag = format!("refs/tags/{rev}");
        if self.git().args(["cat-file", "-t", &tag]).read()? != "tag" {
            return Ok(Signature::None("a lightweight tag, which cannot be signed"));
        }
        let text = self.git().args(["cat-file", "tag", &tag]).read()?;
        let signed = ["-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----"];
        if !signed.iter().any(|begin| text.contains(begin)) {
            return Ok(Signature::None("an annotated tag without a signature"));
        }
        // the caller's keys and git settings decide who is trusted
        let verified = self.git().args(["verify-tag", &tag]).output()?;
        let said = format!("{}\n{}", verified.stdout, verified.stderr);
        let line = said.lines().find(|line| {
            line.to_lowercase().contains("good ") || line.contains("BAD ") || line.contains("bad ")
        });
        let line = line
            .or(said.lines().rev().find(|l| !l.trim().is_empty()))
            .unwrap_or_default()
            .trim()
            .to_owned();
        if verified.exit.ok() {
            return Ok(Signature::Good(line));
        }
        if said.contains("BAD signature")
            || said.contains("incorrect signature")
            || said.contains("Signature verification failed")
        {
            bail!(Code::No.error(format!("the signature of tag {rev} is bad: {line}")));
        }
        Ok(Signature::Unknown(line))
    }

    pub(super) fn log(&self, old: &str, new: &str) -> Result<String> {
        let range = format!("{old}..{new}");
        let known = self.git().args(["cat-file", "-e", &format!("{old}^{{commit}}")]).succeeds();
        if !known {
            return Ok(format!("  (the remote no longer has {old})"));
        }
        let format = "--format=  %h %ad %an: %s";
        self.git().args(["log", "--date=short", LONGEST_LOG, format, &range]).read()
    }

    pub(super) fn descends(&self, old: &str, new: &str) -> bool {
        self.git().args(["merge-base", "--is-ancestor", old, new]).succeeds()
    }

    /// Blob ids of `paths` at `commit`. Files that do not exist there are left out.
    pub(super) fn blobs<'a>(
        &self,
        commit: &str,
        paths: impl Iterator<Item = &'a String>,
    ) -> Result<BTreeMap<String, String>> {
        let listed = self.git().args(["ls-tree", "-r", "-z", commit, "--"]).args(paths).read()?;
        Ok(entries(&listed))
    }

    /// Files in docker/ and approx/ at `commit` that did not exist at the `reviewed` commit.
    pub(super) fn added(&self, reviewed: &str, commit: &str) -> Result<BTreeMap<String, String>> {
        let list = |commit: &str| {
            let list =
                self.git().args(["ls-tree", "-r", "-z", commit, "--", "docker", "approx"]).read();
            list.map(|listed| entries(&listed))
        };
        // upstream may have lost the reviewed commit: then no file can be called new
        let before = list(reviewed).unwrap_or_default();
        let mut now = list(commit)?;
        now.retain(|path, _| !before.is_empty() && !before.contains_key(path));
        Ok(now)
    }

    /// Paths of the submodules at `commit`.
    pub(super) fn submodules(&self, commit: &str) -> Result<Vec<String>> {
        let listed = self.git().args(["ls-tree", "-r", "-z", commit]).read()?;
        let links = listed.split('\0').filter(|entry| entry.starts_with("160000 "));
        Ok(links.filter_map(|entry| Some(entry.split_once('\t')?.1.to_owned())).collect())
    }

    pub(super) fn diff(
        &self,
        reviewed: &str,
        commit: &str,
        changed: &[&String],
        added: &BTreeMap<String, String>,
    ) -> Result<String> {
        if changed.is_empty() && added.is_empty() {
            return Ok(String::new());
        }
        let diff = self
            .git()
            .args(["diff", "--no-color", "--no-ext-diff", reviewed, commit, "--"])
            .args(changed)
            .args(added.keys());
        match diff.read() {
            Ok(diff) => Ok(diff),
            Err(_) => Ok(format!(
                "{}\n(the remote no longer has the reviewed {reviewed}: no diff)",
                changed.iter().map(|path| format!("  {path}")).collect::<Vec<_>>().join("\n")
            )),
        }
    }
}

/// Blob ids by path, read from `git ls-tree -z`: `MODE blob ID\tPATH`.
fn entries(listed: &str) -> BTreeMap<String, String> {
    let entries = listed.split('\0').filter_map(|entry| {
        let (meta, path) = entry.split_once('\t')?;
        Some((path.to_owned(), meta.split(' ').nth(2)?.to_owned()))
    });
    entries.collect()
}
