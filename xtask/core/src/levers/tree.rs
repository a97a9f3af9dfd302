//! The tree of a revision of derivative-maker: git's objects, or the files of a checkout.

use super::anchor::Levers;
use crate::exec::Cmd;
use crate::facts::git::git;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Git's mode of a submodule, and of a program.
const GITLINK: &str = "160000";
const PROGRAM: &str = "100755";

/// A revision of derivative-maker, as far as levers look at it.
#[derive(Debug)]
pub struct UpstreamTree(TreeSource);

#[derive(Debug)]
enum TreeSource {
    Objects(Objects),
    /// The files on disk, with those of submodules.
    Folder(PathBuf),
}

/// A commit in git's objects, read at once.
#[derive(Debug)]
struct Objects {
    entries: BTreeMap<String, Entry>,
    /// Contents by object id.
    contents: BTreeMap<String, String>,
    /// Submodules whose objects are there.
    submodules: BTreeMap<String, Objects>,
}

#[derive(Debug)]
struct Entry {
    mode: String,
    id: String,
    size: u64,
}

/// The answer for one path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<T> {
    There(T),
    Missing,
    /// It lies in a submodule at this commit, whose objects are not there.
    InSubmodule {
        path: String,
        commit: String,
    },
}

impl UpstreamTree {
    /// Reads `commit` in the repository `dir`. Submodules are read if they are checked out in `dir`, at
    /// the commit that `commit` records for them.
    ///
    /// # Errors
    /// The repository lacks the commit; git fails.
    pub fn of_commit(dir: &Path, commit: &str, levers: &Levers) -> Result<UpstreamTree> {
        let steps = levers.layouts.iter().map(|layout| Levers::step(layout));
        let paths: Vec<String> =
            levers.anchors().map(|(_, anchor)| anchor.path.clone()).chain(steps).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        Ok(UpstreamTree(TreeSource::Objects(Objects::read(dir, commit, &paths)?)))
    }

    /// The files of the checkout in `dir`, with whatever was changed in them.
    pub fn of_folder(dir: &Path) -> UpstreamTree {
        UpstreamTree(TreeSource::Folder(dir.to_owned()))
    }

    /// All files at `path`, by their paths: one if it is a file.
    pub(super) fn files(&self, path: &str) -> Result<Look<BTreeMap<String, String>>> {
        match &self.0 {
            TreeSource::Objects(objects) => Ok(objects.files(path)),
            TreeSource::Folder(dir) => {
                let mut found = BTreeMap::new();
                walk(&dir.join(path), path, &mut |path, file| {
                    let bytes = std::fs::read(file)?;
                    found.insert(path.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
                    Ok(())
                })?;
                Ok(if found.is_empty() { Look::Missing } else { Look::There(found) })
            }
        }
    }

    /// Names of the entries of a folder, sorted.
    pub(super) fn entries(&self, folder: &str) -> Result<Look<Vec<String>>> {
        match &self.0 {
            TreeSource::Objects(objects) => Ok(objects.below(folder).map(|(objects, folder)| {
                let below = objects.under(&folder).map(|(path, _)| path[folder.len()..].to_owned());
                let mut names: Vec<String> =
                    below.filter_map(|path| Some(path.split('/').nth(1)?.to_owned())).collect();
                names.dedup();
                names
            })),
            TreeSource::Folder(dir) => {
                let Ok(entries) = std::fs::read_dir(dir.join(folder)) else {
                    return Ok(Look::Missing);
                };
                let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
                let mut names: Vec<String> = names.collect();
                names.sort();
                Ok(Look::There(names))
            }
        }
    }

    /// Programs of a folder that have no content.
    pub(super) fn empty_programs(&self, folder: &str) -> Result<Look<Vec<String>>> {
        match &self.0 {
            TreeSource::Objects(objects) => Ok(objects.below(folder).map(|(objects, folder)| {
                let programs = objects.under(&folder);
                let empty = programs.filter(|(_, entry)| entry.mode == PROGRAM && entry.size == 0);
                empty.map(|(path, _)| path.clone()).collect()
            })),
            TreeSource::Folder(dir) => {
                let mut empty = Vec::new();
                walk(&dir.join(folder), folder, &mut |path, file| {
                    let meta = file.metadata()?;
                    if meta.permissions().mode() & 0o111 != 0 && meta.len() == 0 {
                        empty.push(path.to_owned());
                    }
                    Ok(())
                })?;
                Ok(if dir.join(folder).exists() { Look::There(empty) } else { Look::Missing })
            }
        }
    }
}

impl<T> Look<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Look::There(value) => Look::There(f(value)),
            Look::Missing => Look::Missing,
            Look::InSubmodule { path, commit } => Look::InSubmodule { path, commit },
        }
    }
}

impl Objects {
    /// Reads the tree of `commit`, and the contents of what lies at or below `paths`.
    fn read(dir: &Path, commit: &str, paths: &[&str]) -> Result<Objects> {
        let listed = git(dir).args(["ls-tree", "-r", "-l", "-z", commit]).read()?;
        let entries: BTreeMap<String, Entry> = listed.split('\0').filter_map(entry).collect();
        let wanted = entries.iter().filter(|(path, entry)| {
            entry.mode != GITLINK && paths.iter().any(|at| is_at_or_below(path, at))
        });
        let contents = contents(git(dir), wanted.map(|(_, entry)| entry.id.as_str()))?;
        let mut submodules = BTreeMap::new();
        for (path, entry) in entries.iter().filter(|(_, entry)| entry.mode == GITLINK) {
            let inner: Vec<&str> = paths
                .iter()
                .filter_map(|at| at.strip_prefix(path.as_str())?.strip_prefix('/'))
                .collect();
            let checkout = dir.join(path);
            // without its own .git, git would ask the repository around it
            let has = || git(&checkout).args(["cat-file", "-e", &entry.id]).succeeds();
            if !inner.is_empty() && checkout.join(".git").exists() && has() {
                submodules.insert(path.clone(), Objects::read(&checkout, &entry.id, &inner)?);
            }
        }
        Ok(Objects { entries, contents, submodules })
    }

    /// The objects that hold `path`, with its path in them.
    fn below(&self, path: &str) -> Look<(&Objects, String)> {
        for (at, entry) in self.entries.iter().filter(|(_, entry)| entry.mode == GITLINK) {
            let Some(inner) =
                path.strip_prefix(at.as_str()).and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            return match self.submodules.get(at) {
                Some(objects) => objects.below(inner),
                None => Look::InSubmodule { path: at.clone(), commit: entry.id.clone() },
            };
        }
        if self.under(path).next().is_none() {
            return Look::Missing;
        }
        Look::There((self, path.to_owned()))
    }

    fn under<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        self.entries.iter().filter(move |(at, _)| is_at_or_below(at, path))
    }

    fn files(&self, path: &str) -> Look<BTreeMap<String, String>> {
        self.below(path).map(|(objects, inner)| {
            let before = &path[..path.len() - inner.len()];
            let files = objects.under(&inner).filter_map(|(path, entry)| {
                Some((format!("{before}{path}"), objects.contents.get(&entry.id)?.clone()))
            });
            files.collect()
        })
    }
}

fn is_at_or_below(path: &str, at: &str) -> bool {
    path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `MODE TYPE ID SIZE\tPATH`, as `git ls-tree -l -z` prints it.
fn entry(line: &str) -> Option<(String, Entry)> {
    let (meta, path) = line.split_once('\t')?;
    let mut words = meta.split_whitespace();
    let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
    let size = words.next()?.parse().unwrap_or(0);
    Some((path.to_owned(), Entry { mode: mode.to_owned(), id: id.to_owned(), size }))
}

/// Contents of blobs by their ids, from one `git cat-file --batch`.
fn contents<'a>(git: Cmd, ids: impl Iterator<Item = &'a str>) -> Result<BTreeMap<String, String>> {
    let ids: Vec<&str> = ids.collect();
    let asked: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let answer = git.args(["cat-file", "--batch"]).input(asked).read_bytes()?;
    let mut rest = &answer[..];
    let mut found = BTreeMap::new();
    for id in ids {
        let content = blob(&mut rest)
            .with_context(|| format!("unexpected answer of git cat-file for {id}"))?;
        found.insert(id.to_owned(), String::from_utf8_lossy(content).into_owned());
    }
    Ok(found)
}

/// Takes one answer, `ID TYPE SIZE\nCONTENT\n`, from the front.
fn blob<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (head, tail) = rest.split_at(end);
    let size: usize = std::str::from_utf8(head).ok()?.split(' ').nth(2)?.parse().ok()?;
    let content = tail.get(1..=size)?;
    *rest = tail.get(size + 2..)?;
    Some(content)
}

/// Calls `visit` with each file at or below `at`, which is `path` in upstream's tree. Git's own
/// folders are passed over.
fn walk(
    at: &Path,
    path: &str,
    visit: &mut dyn FnMut(&str, &Path) -> std::io::Result<()>,
) -> Result<()> {
    let Ok(meta) = at.symlink_metadata() else { return Ok(()) };
    if meta.is_file() {
        return visit(path, at).with_context(|| format!("cannot read {path}"));
    }
    if !meta.is_dir() {
        return Ok(());
    }
    let mut entries: Vec<_> =
        std::fs::read_dir(at).with_context(|| format!("cannot read {path}"))?.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries.iter().filter(|entry| entry.file_name() != ".git") {
        let name = entry.file_name().to_string_lossy().into_owned();
        walk(&entry.path(), &format!("{path}/{name}"), visit)?;
    }
    Ok(())
}
