//! Brings the files of a release to Gitea, in steps that can be repeated.
//!
//! Draft → list the files there → keep those with the right hash, delete the others → upload,
//! SHA256SUMS last → download all files and hash them → publish. Each step first looks at the
//! server, so that a run continues where an earlier one was interrupted, and a run after a
//! complete one changes nothing.

use super::folder::{Release, ReleaseFile};
use super::gitea::{Asset, Draft, Gitea, GiteaRelease, MIB};
use anyhow::Result;
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::ui::Ui;

/// Number of attempts to upload one file. Each removes first what the attempt before it left.
const ATTEMPTS: u32 = 3;

/// The published release.
pub(super) struct Done {
    pub(super) release: GiteaRelease,
    /// Names of the files that this run uploaded.
    pub(super) uploaded: Vec<String>,
}

/// A run of the upload.
pub(super) struct Upload<'a> {
    pub(super) gitea: &'a Gitea<'a>,
    pub(super) release: &'a Release,
    pub(super) ui: &'a Ui,
    pub(super) uploaded: Vec<String>,
}

impl Upload<'_> {
    pub(super) fn run(mut self) -> Result<Done> {
        self.gitea.may_write()?;
        if !self.compare_tag()? {
            self.has_commit()?;
        }
        let there = self.draft()?;
        let mut hashed = self.clear(&there)?;
        for file in &self.release.files {
            if !hashed.contains(&file.name) {
                self.upload(&there, file)?;
            }
        }
        // the final check of all files, after the last change
        for asset in self.all_there(&there)? {
            if !hashed.contains(&asset.name) {
                self.check(&asset)?;
                hashed.push(asset.name);
            }
        }
        let published = if there.draft {
            // somebody may have moved the tag during the upload
            self.compare_tag()?;
            let published = self.publish(&there)?;
            self.compare_tag()?;
            published
        } else {
            there
        };
        Ok(Done { release: published, uploaded: self.uploaded })
    }

    /// Fails if the server's tag names another commit than the one that was built. Returns `false` if the server
    /// has no such tag: it makes one at that commit when the release is published.
    fn compare_tag(&self) -> Result<bool> {
        let Release { tag, commit, .. } = self.release;
        match self.gitea.commit_of(tag)? {
            Some(there) if there != commit.to_string() => Err(Code::No.error(format!(
                "tag {tag} names commit {} on the server, but this release was built from {commit}\n  \
                 fix: find out which of the two is meant; then build that commit, or tag it anew under another \
                 version. A tag that people may have fetched is never moved",
                there.shown()
            ))),
            there => Ok(there.is_some()),
        }
    }

    /// Fails if the server cannot make the tag, because nobody pushed the commit. It would say so only after the
    /// whole upload.
    fn has_commit(&self) -> Result<()> {
        let Release { tag, commit, .. } = self.release;
        if self.gitea.has_commit(commit)? {
            return Ok(());
        }
        Err(Code::NotReady.error(format!(
            "the server has neither tag {tag} nor the commit {commit} that this release was built from\n  \
             fix: git push REMOTE {tag}"
        )))
    }

    /// Returns the release of the tag on the server, or creates a draft.
    fn draft(&self) -> Result<GiteaRelease> {
        let Release { tag, .. } = self.release;
        if let Some(there) = self.gitea.find(tag)? {
            let kind = if there.draft { "a draft" } else { "a published release" };
            self.ui.notice(&format!("{tag}: the server has {kind} already"));
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
            // somebody else was faster, or the answer to our request was lost
            outcome => {
                interrupt::check()?;
                if let Some(there) = self.gitea.find(tag)? {
                    return Ok(there);
                }
                outcome?;
                Err(Code::NotReady.error(format!(
                    "the server says that {tag} has a release, but does not show it to this token: \
                     expected a token whose owner may write to the repository"
                )))
            }
        }
    }

    /// Keeps one file of each name if its hash is right, and deletes the others of that name.
    /// Returns the names of the kept files.
    fn clear(&self, there: &GiteaRelease) -> Result<Vec<String>> {
        let assets = self.gitea.assets(there)?;
        for asset in &assets {
            if !self.release.files.iter().any(|file| file.name == asset.name) {
                self.ui.notice(&format!(
                    "{} on the server does not belong to this release: left alone",
                    asset.name.shown()
                ));
            }
        }
        let mut kept = Vec::new();
        for file in &self.release.files {
            let same_name = assets.iter().filter(|asset| asset.name == file.name);
            let (mut right_size, mut wrong): (Vec<&Asset>, Vec<&Asset>) =
                same_name.partition(|asset| asset.size == file.size);
            // files of one name may share a URL: delete all but one, so that it can be hashed
            wrong.extend(right_size.drain(1.min(right_size.len())..));
            for asset in wrong {
                self.delete(there, asset, "a duplicate, or another size")?;
            }
            let Some(candidate) = right_size.pop() else { continue };
            let (digest, _) = self.step("check", candidate, || self.gitea.hash(candidate))?;
            if digest == file.digest {
                kept.push(file.name.clone());
            } else {
                self.delete(
                    there,
                    candidate,
                    &format!("expected {}, found {digest}", file.digest),
                )?;
            }
        }
        Ok(kept)
    }

    /// Deletes a file of a draft. A published file is never deleted: people may have downloaded it.
    fn delete(&self, there: &GiteaRelease, asset: &Asset, why: &str) -> Result<()> {
        if !there.draft {
            return Err(Code::No.error(format!(
                "{} is published, but its file {} is not the one of this release ({why}); a published \
                 release is never changed: find out who uploaded it ({}), and release another version",
                there.tag, asset.name.shown(), there.page.shown()
            )));
        }
        self.ui.notice(&format!("{}: deleting the file on the server ({why})", asset.name));
        self.gitea.delete(there, asset)
    }

    fn upload(&mut self, there: &GiteaRelease, file: &ReleaseFile) -> Result<()> {
        let mut attempt = 1;
        loop {
            let name = format!("upload {} ({} MiB)", file.name, file.size.div_ceil(MIB));
            let stage = self.ui.stage(name.as_str());
            let outcome = self.gitea.upload(there, &file.name, &file.path);
            stage.end(outcome.is_ok());
            let Err(error) = outcome else { break };
            interrupt::check()?;
            // the server may have stored the file in whole or in part
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

    /// Returns the release's files as the server lists them. Each must be listed once.
    fn all_there(&self, there: &GiteaRelease) -> Result<Vec<Asset>> {
        let assets = self.gitea.assets(there)?;
        let mut found = Vec::new();
        for file in &self.release.files {
            let mut named = assets.iter().filter(|asset| asset.name == file.name);
            let (Some(asset), None) = (named.next(), named.next()) else {
                let count = assets.iter().filter(|asset| asset.name == file.name).count();
                return Err(Code::Failed.error(format!(
                    "{}: expected once among the release's files, the server lists it {count} times",
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
            "{}: the server returns another file than was sent: sent {} ({} bytes), received {digest} ({size} bytes)",
            file.name, file.digest, file.size
        )))
    }

    fn publish(&self, there: &GiteaRelease) -> Result<GiteaRelease> {
        self.gitea.publish(there, &self.release.commit)?;
        match self.gitea.find(&there.tag)? {
            Some(now) if !now.draft && now.id == there.id => Ok(now),
            other => Err(Code::Failed.error(format!(
                "release {} is not published: the server shows {}",
                there.tag,
                other.map_or("no release".to_owned(), |r| format!(
                    "release {} (draft: {})",
                    r.id, r.draft
                ))
            ))),
        }
    }

    fn step<T>(&self, what: &str, asset: &Asset, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let stage = self.ui.stage(format!("{what} {}", asset.name).as_str());
        let outcome = act();
        stage.end(outcome.is_ok());
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
