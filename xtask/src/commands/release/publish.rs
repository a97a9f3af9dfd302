//! `cargo xtask release publish`: a release's folder goes to Gitea, whole or not at all.
//!
//! Draft → look what is there → keep what hashes right, delete the rest → upload, SHA256SUMS last
//! → download again and hash → publish. Each step looks first, so that a run goes on where an
//! earlier one was cut off, and one more changes nothing.

use super::folder::{File, Release};
use super::gitea::{Asset, Draft, Gitea, Published};
use super::{Package, default_folder};
use crate::cli::ReleasePublishArgs;
use anyhow::{Context as _, Error, Result};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use xtask_core::exec::{quoted, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::http::{self, Http, Url};
use xtask_core::interrupt;
use xtask_core::secret::{RELEASE_TOKEN, Secret};
use xtask_core::setup;
use xtask_core::ui::{Ui, answer};

const MIB: u64 = 1 << 20;
/// How often one file is sent before it is given up; what an attempt left is cleared away first.
const ATTEMPTS: u32 = 3;

/// `cargo xtask release publish`
pub(crate) fn command(repo: &Repo, args: &ReleasePublishArgs) -> Result<()> {
    let ui = Ui::new(args.verbose);
    let package = Package::read(repo)?;
    let folder = args.folder.clone().unwrap_or_else(|| default_folder(repo, &package.tag()));
    let release = Release::read(&folder)?;
    let repository: Url =
        args.repository.as_deref().unwrap_or(&package.repository).parse().or_exit(Code::Usage)?;
    let token = token(args.token_file.as_deref(), &ui);
    let mut problems: Vec<Problem> =
        release.files.iter().filter_map(|file| too_large(file, args.max_size)).collect();
    if let Err(error) = &token {
        problems.push(Problem::new(
            format!("{error:#}"),
            format!("give Gitea's access token in {RELEASE_TOKEN}, or --token-file FILE"),
        ));
    }
    if which(http::PACKAGE).is_none() {
        problems.push(setup::problem(&[http::PACKAGE.to_owned()]));
    }
    if args.dry_run {
        answer(format_args!("{}", describe(&release, &repository)));
        refuse(&problems)?;
        return Ok(());
    }
    refuse(&problems)?;
    let http = Http { stall_timeout: args.stall, ca_file: args.ca_file.clone(), ..Http::default() };
    let gitea = Gitea::new(http, &repository, token?, &ui)?;
    let done = Publishing { gitea: &gitea, release: &release, ui: &ui, uploaded: Vec::new() }
        .run()
        .map_err(|error| not_published(&error, &folder))?;
    say(&release, &done, args.json);
    Ok(())
}

/// Says last what to do about any error, beside its own fix.
fn not_published(error: &Error, folder: &Path) -> Error {
    Code::of(error).error(format!(
        "not published: {error:#}\n  what is there already is kept, so run it again: cargo xtask release publish {}",
        quoted(&folder.to_string_lossy())
    ))
}

fn too_large(file: &File, max_mib: u64) -> Option<Problem> {
    (file.size > max_mib * MIB).then(|| {
        Problem::new(
            format!(
                "{} is {} MiB, and the server takes at most {max_mib} MiB a file",
                file.path.display(),
                file.size.div_ceil(MIB)
            ),
            "raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini, and pass --max-size MIB",
        )
    })
}

fn token(file: Option<&Path>, ui: &Ui) -> Result<Secret> {
    let Some(path) = file else {
        let value = std::env::var(RELEASE_TOKEN).unwrap_or_default();
        return Secret::new(&value, RELEASE_TOKEN);
    };
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mode = path.metadata().map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        ui.notice(&format!(
            "others can read the token: chmod 600 {}",
            quoted(&path.to_string_lossy())
        ));
    }
    Secret::new(text.trim(), &path.display().to_string())
}

/// What a dry run prints. What is there already decides how much of it is left to do.
fn describe(release: &Release, repository: &Url) -> String {
    let mut text = format!("release {} of {repository}\n", release.tag);
    text += "  draft, unless there is one\n";
    for file in &release.files {
        text += &format!("  upload, unless it is there: {} ({} bytes)\n", file.name, file.size);
    }
    text + "  download all and compare the hashes\n  publish"
}

struct Done {
    published: Published,
    uploaded: Vec<String>,
}

fn say(release: &Release, done: &Done, as_json: bool) {
    if !as_json {
        answer(format_args!("{}", done.published.page));
        return;
    }
    let value = json!({
        "tag": release.tag,
        "test": release.test,
        "id": done.published.id,
        "page": done.published.page,
        "files": release.json()["files"],
        "uploaded": done.uploaded,
    });
    answer(format_args!("{value:#}"));
}

struct Publishing<'a> {
    gitea: &'a Gitea<'a>,
    release: &'a Release,
    ui: &'a Ui,
    uploaded: Vec<String>,
}

impl Publishing<'_> {
    fn run(mut self) -> Result<Done> {
        let there = self.draft()?;
        let mut hashed = self.clear(&there)?;
        for file in &self.release.files {
            if !hashed.contains(&file.name) {
                self.upload(&there, file)?;
            }
        }
        // one look at all of it, after the last change
        for asset in self.all_there(&there)? {
            if !hashed.contains(&asset.name) {
                self.check(&asset)?;
                hashed.push(asset.name);
            }
        }
        let published = if there.draft { self.publish(&there)? } else { there };
        Ok(Done { published, uploaded: self.uploaded })
    }

    /// The release that has the tag, or a new draft.
    fn draft(&self) -> Result<Published> {
        let Release { tag, .. } = self.release;
        if let Some(there) = self.gitea.find(tag)? {
            let kind = if there.draft { "a draft" } else { "a published release" };
            self.ui.notice(&format!("{tag}: {kind} is there"));
            return Ok(there);
        }
        let (title, notes) = notes(self.release)?;
        let draft = Draft {
            tag,
            commit: &self.release.commit,
            title,
            notes,
            prerelease: self.release.test,
        };
        match self.gitea.create(&draft) {
            Ok(Some(made)) => Ok(made),
            // somebody else was faster, or the answer to our own request was lost
            outcome => {
                interrupt::check()?;
                if let Some(there) = self.gitea.find(tag)? {
                    return Ok(there);
                }
                outcome?;
                Err(Code::NotReady.error(format!(
                    "the server says that {tag} has a release, and shows none to this token: \
                     expected a token whose owner may write to the repository"
                )))
            }
        }
    }

    /// Keeps one file of each name, if it hashes right, and deletes the others of that name.
    /// Returns the names of those that are kept.
    fn clear(&self, there: &Published) -> Result<Vec<String>> {
        let assets = self.gitea.assets(there)?;
        for asset in &assets {
            if !self.release.files.iter().any(|file| file.name == asset.name) {
                self.ui.notice(&format!(
                    "{} is there, not one of this release; left alone",
                    asset.name
                ));
            }
        }
        let mut kept = Vec::new();
        for file in &self.release.files {
            let same_name = assets.iter().filter(|asset| asset.name == file.name);
            let (mut right_size, mut wrong): (Vec<&Asset>, Vec<&Asset>) =
                same_name.partition(|asset| asset.size == file.size);
            // an address names all files of one name: only the last one left can be hashed
            wrong.extend(right_size.drain(1.min(right_size.len())..));
            for asset in wrong {
                self.delete(there, asset, "a duplicate, or of another size")?;
            }
            let Some(candidate) = right_size.pop() else { continue };
            let (digest, _) = self.step("check", candidate, || self.gitea.hash(candidate))?;
            if digest == file.digest {
                kept.push(file.name.clone());
            } else {
                self.delete(
                    there,
                    candidate,
                    &format!("it hashes to {digest}, expected {}", file.digest),
                )?;
            }
        }
        Ok(kept)
    }

    /// Only ever from a draft: what was published may have been downloaded.
    fn delete(&self, there: &Published, asset: &Asset, why: &str) -> Result<()> {
        if !there.draft {
            return Err(Code::No.error(format!(
                "{} is published, and its file {} is not the one of this release ({why}); a published \
                 release is never changed: find out who put it there ({}), and release another version",
                there.tag, asset.name, there.page
            )));
        }
        self.ui.notice(&format!("{}: deleting what is there ({why})", asset.name));
        self.gitea.delete(there, asset)
    }

    fn upload(&mut self, there: &Published, file: &File) -> Result<()> {
        let mut attempt = 1;
        loop {
            let name = format!("upload {} ({} MiB)", file.name, file.size.div_ceil(MIB));
            self.ui.begin(&name);
            let outcome = self.gitea.upload(there, &file.name, &file.path);
            self.ui.end(outcome.is_err().then_some("failed"));
            let Err(error) = outcome else { break };
            interrupt::check()?;
            // it may have been stored all the same, in whole or in part
            if Code::of(&error) == Code::NotReady || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            self.ui.notice(&format!("{error:#}; attempt {attempt} of {ATTEMPTS}"));
            for asset in self.gitea.assets(there)?.iter().filter(|asset| asset.name == file.name) {
                self.gitea.delete(there, asset)?;
            }
        }
        self.uploaded.push(file.name.clone());
        Ok(())
    }

    /// The release's files as the server lists them: each once.
    fn all_there(&self, there: &Published) -> Result<Vec<Asset>> {
        let assets = self.gitea.assets(there)?;
        let mut found = Vec::new();
        for file in &self.release.files {
            let mut named = assets.iter().filter(|asset| asset.name == file.name);
            let (Some(asset), None) = (named.next(), named.next()) else {
                let count = assets.iter().filter(|asset| asset.name == file.name).count();
                return Err(Code::Failed.error(format!(
                    "{}: expected it once among the release's files, the server lists it {count} times",
                    file.name
                )));
            };
            found.push(asset.clone());
        }
        Ok(found)
    }

    fn check(&self, asset: &Asset) -> Result<()> {
        let Some(file) = self.release.files.iter().find(|file| file.name == asset.name) else {
            return Ok(());
        };
        let (digest, size) = self.step("check", asset, || self.gitea.hash(asset))?;
        if digest == file.digest {
            return Ok(());
        }
        Err(Code::Failed.error(format!(
            "{}: the server does not give back what it was sent: sent {} ({} bytes), got {digest} ({size} bytes)",
            file.name, file.digest, file.size
        )))
    }

    fn publish(&self, there: &Published) -> Result<Published> {
        self.gitea.publish(there)?;
        match self.gitea.find(&there.tag)? {
            Some(now) if !now.draft && now.id == there.id => Ok(now),
            other => Err(Code::Failed.error(format!(
                "release {} was to be published, and the server shows {}",
                there.tag,
                other.map_or("none".to_owned(), |r| format!(
                    "release {} (draft: {})",
                    r.id, r.draft
                ))
            ))),
        }
    }

    fn step<T>(&self, what: &str, asset: &Asset, act: impl FnOnce() -> Result<T>) -> Result<T> {
        self.ui.begin(&format!("{what} {}", asset.name));
        let outcome = act();
        self.ui.end(outcome.is_err().then_some("failed"));
        outcome
    }
}

/// Title and notes of the release.
fn notes(release: &Release) -> Result<(String, String)> {
    let iso = release.iso()?;
    let check = format!(
        "Two clean builds of commit {} gave this image, byte for byte:\n\n    {}  {}\n\n\
         Rebuild it and compare: `cargo xtask reproduce {}` (docs/reproduce-a-release.md).\n",
        release.commit,
        iso.digest.hex(),
        iso.name,
        release.tag
    );
    Ok(if release.test {
        let title = format!("{}: a test release, not SilverMetal", release.tag);
        (
            title,
            format!(
                "This release tries the pipeline (recipe {}). Do not install it.\n\n{check}",
                release.recipe
            ),
        )
    } else {
        (format!("SilverMetal {}", release.tag), check)
    })
}
