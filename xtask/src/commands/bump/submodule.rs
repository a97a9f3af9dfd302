//! `cargo xtask bump-submodule`: the commit of derivative-maker, and the record of what our
//! entrypoint was reviewed against.

use super::edit::{self, Edit};
use super::{lock, rest_of_the_act, shown};
use crate::cli::BumpSubmoduleArgs;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use xtask_core::exec::Cmd;
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::toml_file;
use xtask_core::ui::{Ui, answer};

const SUBMODULE: &str = "linux/build/derivative-maker";
/// Commits of the log that are shown.
const LONGEST_LOG: &str = "--max-count=200";
/// Seconds that the remote may take.
const PATIENCE: u32 = 900;

/// A copy of the remote, of our own: the submodule need not be there, and is not touched before
/// everything is known.
struct Upstream {
    dir: PathBuf,
}

/// How a revision is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Signature {
    Good(String),
    /// By a key that this machine's git does not know or trust.
    Unknown(String),
    /// Why there is none.
    None(&'static str),
}

/// `cargo xtask bump-submodule`
pub(crate) fn command(repo: &Repo, args: &BumpSubmoduleArgs) -> Result<()> {
    let ui = Ui::new(false);
    let old = pinned(repo)?;
    let upstream = Upstream::fetch(repo, &ui)?;
    let rev = match &args.rev {
        Some(rev) => rev.clone(),
        None => upstream.newest_tag()?,
    };
    let commit = upstream.commit(&rev)?;
    let signature = upstream.signature(&rev)?;
    let log = upstream.log(&old, &commit)?;
    let mut record = Edit::of(&repo.builder_image())?;
    let mut readme = Edit::of(&repo.docker().join("systemd-entrypoint/README.md"))?;
    let reviewed = Reviewed::read(&record)?;
    let now = upstream.blobs(&commit, reviewed.blobs.keys())?;
    let changed: Vec<&String> =
        reviewed.blobs.keys().filter(|path| now.get(*path) != reviewed.blobs.get(*path)).collect();
    let added = upstream.added(&reviewed.commit, &commit)?;
    let diff = upstream.diff(&reviewed.commit, &commit, &changed, &added)?;

    let tag = if upstream.is_tag(&rev) { rev.clone() } else { String::new() };
    reviewed.rewrite(&mut record, &mut readme, &commit, &tag, &now, &added)?;
    let edits = [record, readme];
    if args.json {
        let (state, by) = signature.words();
        answer(format_args!(
            "{:#}",
            json!({
                "rev": rev, "commit": commit, "before": old, "signature": state, "signed_by": by,
                "log": log.lines().collect::<Vec<_>>(), "reviewed_files_changed": changed,
                "new_files": added.keys().collect::<Vec<_>>(), "dry_run": args.dry_run,
            })
        ));
    } else {
        answer(format_args!("{old} -> {commit} ({rev})"));
        answer(format_args!("signature: {}", signature.shown()));
        answer(format_args!("log:\n{}", if log.is_empty() { "  (nothing between)" } else { &log }));
        if changed.is_empty() && added.is_empty() {
            answer(format_args!("nothing changed of what our entrypoint was reviewed against"));
        } else {
            answer(format_args!("changed of what our entrypoint was reviewed against:\n{diff}"));
        }
    }
    if commit == old && !edits.iter().any(Edit::changes) {
        ui.print(&format!("already pinned: {commit}"));
        return Ok(());
    }
    if !upstream.descends(&old, &commit) {
        ui.notice(&format!("{rev} does not come after the pinned commit: upstream's history was rewritten, or this goes back"));
    }
    if args.dry_run {
        ui.print("nothing was written: --dry-run");
        return Ok(());
    }
    move_gitlink(repo, &upstream, &commit, &ui)?;
    edit::apply(&edits, &lock(repo))?;
    if !changed.is_empty() || !added.is_empty() {
        ui.print("read the diff above against linux/build/docker/systemd-entrypoint (its README says how): the record now says that somebody did");
    }
    ui.print(&rest_of_the_act(repo, &edits));
    ui.print(&format!(
        "  the gitlink {} is staged: it belongs to the same commit",
        shown(repo, &repo.submodule())
    ));
    Ok(())
}

/// What the index holds: a bump that is not committed yet counts.
fn pinned(repo: &Repo) -> Result<String> {
    let entry = git(&repo.root).args(["ls-files", "--stage", "--", SUBMODULE]).read()?;
    let commit = entry.strip_prefix("160000 ").and_then(|rest| rest.split(' ').next());
    commit
        .map(str::to_owned)
        .with_context(|| format!("the index holds no gitlink {SUBMODULE}"))
        .or_exit(Code::NotReady)
}

/// In the index, and, where the submodule is there, in its folder.
fn move_gitlink(repo: &Repo, upstream: &Upstream, commit: &str, ui: &Ui) -> Result<()> {
    let dir = repo.submodule();
    if dir.join(".git").exists() {
        let changes = git(&dir).args(["status", "--porcelain", "--untracked-files=no"]).read()?;
        if !changes.is_empty() {
            refuse(&[Problem::new(
                format!("{SUBMODULE} has changes of its own, which would be lost"),
                format!("look at them: git -C {SUBMODULE} status"),
            )])?;
        }
        git(&dir).args(["fetch", "--quiet"]).arg(&upstream.dir).arg(commit).read()?;
        git(&dir).args(["checkout", "--quiet", "--detach", commit]).read()?;
        ui.notice(&format!(
            "its own submodules follow with: git submodule update --init --recursive {SUBMODULE}"
        ));
    }
    let entry = format!("160000,{commit},{SUBMODULE}");
    git(&repo.root).args(["update-index", "--cacheinfo", &entry]).read()?;
    Ok(())
}

impl Upstream {
    fn fetch(repo: &Repo, ui: &Ui) -> Result<Upstream> {
        let key = format!("submodule.{SUBMODULE}.url");
        let url = git(&repo.root)
            .args(["config", "--file", ".gitmodules", "--get", &key])
            .read()
            .with_context(|| format!(".gitmodules names no url of {SUBMODULE}"))
            .or_exit(Code::NotReady)?;
        // several checkouts may share one target folder
        let name = format!("derivative-maker-{}.git", repo.checkout_id());
        let dir = repo.state().join(name);
        if !dir.exists() {
            git(&repo.root).args(["init", "--quiet", "--bare"]).arg(&dir).read()?;
        }
        // a tag that upstream moved is to be seen as it is now
        let refs = ["+refs/tags/*:refs/tags/*", "+refs/heads/*:refs/heads/*"];
        let fetch = git(&dir).args(["fetch", "--quiet", "--prune", "--force", &url]).args(refs);
        let fetch = fetch.env("GIT_TERMINAL_PROMPT", "0");
        ui.command(&fetch);
        fetch.within_seconds(PATIENCE).read().or_exit(Code::NotReady)?;
        Ok(Upstream { dir })
    }

    fn git(&self) -> Cmd {
        git(&self.dir)
    }

    fn newest_tag(&self) -> Result<String> {
        let tags = self.git().args(["tag", "--list", "--sort=-version:refname"]).read()?;
        let newest = tags.lines().next().context("the remote has no tag: name a commit");
        newest.map(str::to_owned).or_exit(Code::NotReady)
    }

    fn commit(&self, rev: &str) -> Result<String> {
        let name = format!("{rev}^{{commit}}");
        let found =
            self.git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).read();
        found.map_err(|_| {
            Code::Usage
                .error(format!("the remote has no `{rev}`: expected a tag, a branch or a commit"))
        })
    }

    fn is_tag(&self, rev: &str) -> bool {
        self.git().args(["show-ref", "--verify", "--quiet", &format!("refs/tags/{rev}")]).succeeds()
    }

    fn signature(&self, rev: &str) -> Result<Signature> {
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
        // the caller's own keys and settings say who is trusted
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

    fn log(&self, old: &str, new: &str) -> Result<String> {
        let range = format!("{old}..{new}");
        let known = self.git().args(["cat-file", "-e", &format!("{old}^{{commit}}")]).succeeds();
        if !known {
            return Ok(format!("  (the remote no longer has {old})"));
        }
        let format = "--format=  %h %ad %an: %s";
        self.git().args(["log", "--date=short", LONGEST_LOG, format, &range]).read()
    }

    fn descends(&self, old: &str, new: &str) -> bool {
        self.git().args(["merge-base", "--is-ancestor", old, new]).succeeds()
    }

    /// git's id of each file's content at `commit`; without those that are gone.
    fn blobs<'a>(
        &self,
        commit: &str,
        paths: impl Iterator<Item = &'a String>,
    ) -> Result<BTreeMap<String, String>> {
        let listed = self.git().args(["ls-tree", "-r", "-z", commit, "--"]).args(paths).read()?;
        Ok(entries(&listed))
    }

    /// Files in docker/ and approx/ that were not there when it was reviewed.
    fn added(&self, reviewed: &str, commit: &str) -> Result<BTreeMap<String, String>> {
        let list = |commit: &str| {
            let list =
                self.git().args(["ls-tree", "-r", "-z", commit, "--", "docker", "approx"]).read();
            list.map(|listed| entries(&listed))
        };
        // where upstream no longer has the reviewed commit, nothing can be told from it
        let before = list(reviewed).unwrap_or_default();
        let mut now = list(commit)?;
        now.retain(|path, _| !before.is_empty() && !before.contains_key(path));
        Ok(now)
    }

    fn diff(
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

/// `MODE blob ID\tPATH` of `git ls-tree -z`.
fn entries(listed: &str) -> BTreeMap<String, String> {
    let entries = listed.split('\0').filter_map(|entry| {
        let (meta, path) = entry.split_once('\t')?;
        Some((path.to_owned(), meta.split(' ').nth(2)?.to_owned()))
    });
    entries.collect()
}

impl Signature {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Signature::Good(by) => ("good", by),
            Signature::Unknown(by) => ("unknown key", by),
            Signature::None(why) => ("none", why),
        }
    }

    fn shown(&self) -> String {
        match self {
            Signature::Good(by) => format!("a signed tag: {by}"),
            Signature::Unknown(by) => format!(
                "a signed tag, but this machine's git cannot say by whom: {by} (import the signer's key, or set gpg.ssh.allowedSignersFile)"
            ),
            Signature::None(why) => format!("NOT SIGNED: {why}"),
        }
    }
}

/// The table `reviewed` of builder-image.toml.
struct Reviewed {
    commit: String,
    tag: String,
    blobs: BTreeMap<String, String>,
}

impl Reviewed {
    fn read(record: &Edit) -> Result<Reviewed> {
        let document = toml_file::parsed(record.before(), record.path())?;
        let text = |name: &str| {
            let item = document.get("reviewed").and_then(|table| table.get(name));
            item.and_then(|item| item.as_str()).unwrap_or_default().to_owned()
        };
        let blobs = document
            .get("reviewed")
            .and_then(|table| table.get("blobs"))
            .and_then(|t| t.as_table());
        let blobs = blobs.into_iter().flat_map(|table| table.iter());
        let blobs = blobs.filter_map(|(path, id)| Some((path.to_owned(), id.as_str()?.to_owned())));
        let reviewed =
            Reviewed { commit: text("commit"), tag: text("tag"), blobs: blobs.collect() };
        if reviewed.commit.is_empty() || reviewed.blobs.is_empty() {
            return Err(Code::NotReady.error(format!(
                "{}: expected [reviewed] with commit and blobs",
                record.path().display()
            )));
        }
        Ok(reviewed)
    }

    /// The record as data, and the same in the entrypoint's README.
    fn rewrite(
        &self,
        record: &mut Edit,
        readme: &mut Edit,
        commit: &str,
        tag: &str,
        now: &BTreeMap<String, String>,
        added: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut document = toml_file::parsed(record.before(), record.path())?;
        let reviewed = document["reviewed"].as_table_mut().context("expected [reviewed]")?;
        for (name, text) in [("commit", commit), ("tag", tag)] {
            toml_file::set(reviewed, name, text);
        }
        let blobs = reviewed["blobs"].as_table_mut().context("expected [reviewed.blobs]")?;
        for path in self.blobs.keys() {
            match now.get(path) {
                Some(id) => toml_file::set(blobs, path, id),
                None => drop(blobs.remove(path)),
            }
        }
        for (path, id) in added {
            toml_file::set(blobs, path, id);
        }
        record.after = document.to_string();

        let named = |commit: &str, tag: &str| {
            if tag.is_empty() {
                format!("derivative-maker {commit}")
            } else {
                format!("derivative-maker {commit} (tag {tag})")
            }
        };
        let mut text =
            readme.before().replacen(&named(&self.commit, &self.tag), &named(commit, tag), 1);
        for (path, old) in &self.blobs {
            let row = |id: &str| format!("| {path} | {id} |\n");
            let new = now.get(path).map(|id| row(id)).unwrap_or_default();
            text = text.replacen(&row(old), &new, 1);
        }
        let last = self
            .blobs
            .iter()
            .rev()
            .find_map(|(path, _)| Some(format!("| {path} | {} |\n", now.get(path)?)));
        if let Some(last) = last {
            let rows: String =
                added.iter().map(|(path, id)| format!("| {path} | {id} |\n")).collect();
            text = text.replacen(&last, &format!("{last}{rows}"), 1);
        }
        if commit != self.commit && text == readme.before() {
            return Err(Code::NotReady.error(format!(
                "{}: expected `{}` in it",
                readme.path().display(),
                named(&self.commit, &self.tag)
            )));
        }
        readme.after = text;
        Ok(())
    }
}
