//! Edits of reviewed files: exact, with owner and mode kept, all of them or none.

use anyhow::{Context as _, Result};
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, Problem, refuse};
use xtask_core::record_file;

/// The content of one file before and after the edit.
#[derive(Debug)]
pub(super) struct FileEdit {
    path: PathBuf,
    before: String,
    pub(super) after: String,
}

impl FileEdit {
    /// Reads a file to be edited: a regular file in UTF-8 that its owner may write.
    pub(super) fn of(path: &Path) -> Result<FileEdit> {
        let meta =
            fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.shown()))?;
        let problem = if meta.file_type().is_symlink() {
            Some(Problem::new(
                format!("{} is a symbolic link: expected the file itself", path.shown()),
                "replace it with the file",
            ))
        } else if !meta.is_file() {
            Some(Problem::new(
                format!("{} is not a regular file", path.shown()),
                "replace it with the file",
            ))
        } else if meta.permissions().mode() & 0o200 == 0 {
            Some(Problem::new(
                format!("{} is read-only", path.shown()),
                format!("chmod u+w {}", xtask_core::exec::quoted(path)),
            ))
        } else {
            None
        };
        refuse(&problem.into_iter().collect::<Vec<_>>())?;
        let before = record_file::text(path)?;
        Ok(FileEdit { path: path.to_owned(), after: before.clone(), before })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn before(&self) -> &str {
        &self.before
    }

    pub(super) fn changes(&self) -> bool {
        self.before != self.after
    }

    /// The removed and the added lines, without the unchanged ones at both ends.
    pub(super) fn shown(&self, name: &str) -> String {
        let before: Vec<&str> = self.before.lines().collect();
        let after: Vec<&str> = self.after.lines().collect();
        let mut text = name.to_owned();
        for (n, (old, new)) in before.iter().zip(&after).enumerate() {
            if old != new && before.len() == after.len() {
                text += &format!("\n  {:>4} - {old}\n       + {new}", n + 1);
            }
        }
        if before.len() != after.len() {
            let start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
            let tails = before[start..].iter().rev().zip(after[start..].iter().rev());
            let end = tails.take_while(|(a, b)| a == b).count();
            for line in &before[start..before.len() - end] {
                text += &format!("\n  {:>4} - {line}", start + 1);
            }
            for line in &after[start..after.len() - end] {
                text += &format!("\n       + {line}");
            }
        }
        text
    }

    /// File that holds the new content until it is renamed. One that a killed run left is replaced.
    fn waiting(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.new"))
    }

    fn write(&self, text: &str) -> Result<()> {
        let path = self.waiting();
        let write = || -> std::io::Result<()> {
            let meta = fs::metadata(&self.path)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            // under sudo, the file keeps its owner
            let own = fs::metadata(&path)?;
            if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
                fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(meta.permissions().mode() & 0o7777))?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.shown()))
    }

    fn rename(&self) -> Result<()> {
        fs::rename(self.waiting(), &self.path)
            .with_context(|| format!("cannot replace {}", self.path.shown()))
    }
}

/// Writes every edit that changes its file: all of them or none.
pub(super) fn apply(edits: &[FileEdit], lock: &Path) -> Result<()> {
    prepare(edits, lock)?.replace()
}

/// New contents, written beside the files that they will replace. Dropped, they are removed.
pub(super) struct Prepared<'a> {
    changed: Vec<&'a FileEdit>,
    /// Held, so that two commands never prepare at the same time.
    _lock: File,
}

/// Does everything that can fail: takes the lock, compares each file with what was read from it,
/// and writes the new contents.
pub(super) fn prepare<'a>(edits: &'a [FileEdit], lock: &Path) -> Result<Prepared<'a>> {
    if let Some(dir) = lock.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
    }
    let held = File::create(lock).with_context(|| format!("cannot write {}", lock.shown()))?;
    xtask_core::lock::lock(&held, "another xtask changes the pins")
        .context("cannot lock the pins")?;
    for edit in edits.iter().filter(|edit| !edit.changes()) {
        drop(fs::remove_file(edit.waiting())); // only a killed run leaves one
    }
    let changed = edits.iter().filter(|edit| edit.changes()).collect();
    let prepared = Prepared { changed, _lock: held };
    for edit in &prepared.changed {
        let now = record_file::text(&edit.path)?;
        if now != edit.before {
            return Err(Code::NotReady.error(format!(
                "{} has just been changed by somebody else: run this again",
                edit.path.shown()
            )));
        }
        edit.write(&edit.after)?;
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// Puts the new contents in place. When one file cannot be replaced, the files before it get
    /// their old contents back.
    pub(super) fn replace(self) -> Result<()> {
        for (n, edit) in self.changed.iter().enumerate() {
            if let Err(error) = edit.rename() {
                for done in &self.changed[..n] {
                    done.write(&done.before)?;
                    done.rename()?;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        for edit in &self.changed {
            drop(fs::remove_file(edit.waiting()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-edit-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn edit(path: &Path, text: &str) -> Result<FileEdit> {
        let mut edit = FileEdit::of(path)?;
        edit.after = text.to_owned();
        Ok(edit)
    }

    #[test]
    fn mode_is_kept_and_leftovers_are_replaced() {
        let dir = folder("mode");
        let path = dir.join("script.sh");
        fs::write(&path, "old\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o751)).unwrap();
        fs::write(dir.join(".script.sh.new"), "left by a killed run").unwrap();
        let edits = [edit(&path, "new\n").unwrap()];
        apply(&edits, &dir.join("lock")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o751);
        assert!(!dir.join(".script.sh.new").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn when_one_file_cannot_be_written_none_is() {
        let dir = folder("none");
        for name in ["a", "b"] {
            fs::write(dir.join(name), "old").unwrap();
        }
        let edits = [edit(&dir.join("a"), "new").unwrap(), edit(&dir.join("b"), "new").unwrap()];
        fs::write(dir.join("b"), "somebody else's").unwrap();
        assert!(apply(&edits, &dir.join("lock")).is_err());
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "old");
        assert!(!dir.join(".a.new").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn when_one_file_cannot_be_replaced_the_others_get_their_content_back() {
        let dir = folder("back");
        for name in ["a", "b"] {
            fs::write(dir.join(name), "old").unwrap();
        }
        let edits = [edit(&dir.join("a"), "new").unwrap(), edit(&dir.join("b"), "new").unwrap()];
        let prepared = prepare(&edits, &dir.join("lock")).unwrap();
        fs::remove_file(dir.join("b")).unwrap();
        fs::create_dir(dir.join("b")).unwrap();
        let error = prepared.replace().unwrap_err().to_string();
        assert!(error.starts_with("cannot replace "), "{error}");
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "old");
        assert!(!dir.join(".a.new").exists() && !dir.join(".b.new").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn links_folders_and_read_only_files_are_refused() {
        let dir = folder("refused");
        let (file, link) = (dir.join("file"), dir.join("link"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(FileEdit::of(&link).unwrap_err().to_string().contains("symbolic link"));
        assert!(FileEdit::of(&dir).unwrap_err().to_string().contains("is not a regular file"));
        fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
        assert!(FileEdit::of(&file).unwrap_err().to_string().contains("chmod u+w"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn changed_lines_are_shown_with_their_numbers() {
        let shown = |before: &str, after: &str| {
            let edit = FileEdit { path: "x".into(), before: before.into(), after: after.into() };
            edit.shown("f")
        };
        assert_eq!(shown("a\nb\nc", "a\nB\nc"), "f\n     2 - b\n       + B");
        assert_eq!(shown("a\nc", "a\nb\nc"), "f\n       + b");
    }
}
