//! The files of a checkout, each read once. An unreadable file is no error here: rule `files` reports
//! it, and the other rules ignore it.

use crate::parse::dockerfile::Dockerfile;
use crate::parse::shell::{self, ShellCommand};
use crate::parse::yaml::{self, YamlError, YamlNode};
use anyhow::{Context as _, Result, bail};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;
use xtask_core::interrupt;

/// Larger files are not read. This is ten times the largest file here.
const MAX_BYTES: u64 = 256 << 10;

/// Folders that rules read.
const FOLDERS: [&str; 6] =
    [".ci/", ".gitea/", ".github/workflows/", "docs/", "linux/build/", "xtask/src/engine/"];
const NOT_OURS: [&str; 2] = ["linux/build/derivative-maker/", "linux/build/output/"];
const NO_TEXT: [&str; 5] = [".png", ".jpg", ".gif", ".webp", ".gpg"];
const AT_THE_TOP: [&str; 5] =
    [".gitmodules", ".hadolint.yaml", ".shellcheckrc", "README.md", "Cargo.toml"];

/// Git's modes, as `git ls-files --stage` prints them.
pub(crate) const GITLINK: &str = "160000";
/// The reason why rules about git cannot run.
pub(crate) const NO_GIT: &str = "this folder is no git repository";

pub(crate) const EXECUTABLE: &str = "100755";

/// Returns the reason why xtask refuses these words, if it does.
pub type CommandRefusal = fn(&[String]) -> Option<String>;

pub(crate) struct SourceTree {
    pub(crate) repo: Repo,
    /// The current time in seconds since 1970-01-01 UTC.
    pub(crate) now: u64,
    /// Says why xtask refuses a command line; `None` where nobody knows.
    pub(crate) refusal: Option<CommandRefusal>,
    /// True if this is a git repository. Otherwise there are no index modes and no gitlinks.
    pub(crate) in_git: bool,
    entries: BTreeMap<String, TreeEntry>,
}

pub(crate) struct TreeEntry {
    /// Mode and object id in the index. `None` if the file was not added yet.
    pub(crate) index: Option<(String, String)>,
    pub(crate) content: FileContent,
}

pub(crate) enum FileContent {
    /// Outside the folders that rules read.
    NotRead,
    Text(Box<SourceFile>),
    Unusable(ReadError),
    /// In the index, not on disk.
    Missing,
}

/// A text file, converted to LF line ends and without a byte order mark.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Mode bits on disk.
    pub(crate) executable: bool,
    /// Conversions by the reader: line and description. Rule `files` reports them.
    pub(crate) mended: Vec<(usize, &'static str)>,
    /// Parsed forms. Many rules use the same one.
    parsed: Parsed,
}

#[derive(Default)]
struct Parsed {
    yaml: OnceCell<Result<YamlNode, YamlError>>,
    commands: OnceCell<Vec<ShellCommand>>,
    dockerfile: OnceCell<Dockerfile>,
}

/// The reason why a file cannot be read as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    NotUtf8 {
        line: usize,
    },
    Empty,
    TooLarge {
        bytes: u64,
    },
    Link {
        target: String,
    },
    /// A folder, a device, a socket.
    NoFile,
    /// The name is not UTF-8.
    OddName,
    Unreadable {
        why: String,
    },
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: String) -> SourceFile {
        let (path, parsed) = (path.to_owned(), Parsed::default());
        SourceFile { path, text, executable: false, mended: Vec::new(), parsed }
    }

    pub(crate) fn yaml(&self) -> Result<&YamlNode, &YamlError> {
        self.parsed.yaml.get_or_init(|| yaml::parse(&self.text)).as_ref()
    }

    /// The commands of a shell script.
    pub(crate) fn commands(&self) -> &[ShellCommand] {
        self.parsed.commands.get_or_init(|| shell::commands(&self.text, 1))
    }

    pub(crate) fn dockerfile(&self) -> &Dockerfile {
        self.parsed.dockerfile.get_or_init(|| Dockerfile::parse(&self.text))
    }

    /// The text of a line, counted from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|n| self.text.lines().nth(n)).unwrap_or_default()
    }

    /// True for a file that scripts source: it names its shell to shellcheck.
    pub(crate) fn is_sourced(&self) -> bool {
        !self.line(1).starts_with("#!")
            && self.text.lines().take(5).any(|l| l.starts_with("# shellcheck shell="))
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    pub(crate) fn is_shell_script(&self) -> bool {
        let first = self.line(1);
        if self.path.ends_with(".sh") {
            return !self.is_sourced();
        }
        first.starts_with("#!")
            && first.split(['/', ' ']).any(|word| matches!(word, "sh" | "bash" | "dash"))
    }
}

impl SourceTree {
    pub(crate) fn load(root: &Path) -> Result<SourceTree> {
        let root = root.canonicalize().with_context(|| format!("cannot read {}", root.shown()))?;
        let now = xtask_core::calendar::now();
        let mut tree = SourceTree {
            repo: Repo { root },
            now,
            refusal: None,
            in_git: true,
            entries: BTreeMap::new(),
        };
        tree.list()?;
        if !tree.entries.values().any(|entry| !matches!(entry.content, FileContent::NotRead)) {
            bail!(
                "{} has no file that a rule reads: expected a checkout of SilverMetal that git lists",
                tree.repo.root.shown()
            );
        }
        Ok(tree)
    }

    fn list(&mut self) -> Result<()> {
        let root = self.repo.root.clone();
        // -t prints a letter before each file; untracked files (?) have no mode
        let listing = git(&root)
            .args(["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"])
            .read_bytes();
        match listing {
            Ok(listing) => {
                for record in listing.split(|byte| *byte == 0) {
                    let Some((letter, rest)) = at_first(record, b' ') else { continue };
                    let (index, path) = match at_first(rest, b'\t').filter(|_| letter != b"?") {
                        Some((facts, path)) => {
                            let facts = String::from_utf8_lossy(facts);
                            let mut words = facts.split(' ').map(str::to_owned);
                            (words.next().zip(words.next()), path)
                        }
                        None => (None, rest),
                    };
                    self.take(path.strip_suffix(b"/").unwrap_or(path), index);
                }
            }
            Err(_) => {
                interrupt::check()?;
                self.in_git = false;
                self.walk(Path::new(""));
            }
        }
        Ok(())
    }

    fn walk(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(self.repo.root.join(folder)) else { return };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let below = format!("{}/", path.to_string_lossy());
                let wanted = FOLDERS.iter().any(|f| f.starts_with(&below) || below.starts_with(f));
                if wanted && !NOT_OURS.contains(&below.as_str()) {
                    self.walk(&path);
                }
            } else {
                self.take(path.as_os_str().as_bytes(), None);
            }
        }
    }

    fn take(&mut self, bytes: &[u8], index: Option<(String, String)>) {
        let shown = OsStr::from_bytes(bytes).shown().to_string();
        let in_utf8 = std::str::from_utf8(bytes);
        let path = in_utf8.unwrap_or(&shown);
        let read =
            FOLDERS.iter().any(|folder| path.starts_with(folder)) || AT_THE_TOP.contains(&path);
        let below = format!("{path}/");
        let ours = !NOT_OURS.iter().any(|folder| below.starts_with(folder));
        let gitlink = index.as_ref().is_some_and(|(mode, _)| mode == GITLINK);
        // attributes in any folder change its files
        let read = read || path.ends_with(".gitattributes");
        let text = !NO_TEXT.iter().any(|end| path.ends_with(end));
        let content = if !(read && ours && text) || gitlink {
            FileContent::NotRead
        } else if in_utf8.is_err() {
            FileContent::Unusable(ReadError::OddName)
        } else {
            read_file(&self.repo.root, path)
        };
        self.entries.insert(path.to_owned(), TreeEntry { index, content });
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &TreeEntry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    pub(crate) fn entry(&self, path: &str) -> Option<&TreeEntry> {
        self.entries.get(path)
    }

    /// A text file. `None` if it is missing or unreadable, which rule `files` reports.
    pub(crate) fn source(&self, path: &str) -> Option<&SourceFile> {
        match &self.entries.get(path)?.content {
            FileContent::Text(source) => Some(&**source),
            _ => None,
        }
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &SourceFile> {
        self.entries.values().filter_map(|entry| match &entry.content {
            FileContent::Text(source) => Some(&**source),
            _ => None,
        })
    }

    /// The line that a finding points at.
    pub(crate) fn line_at(&self, path: &str, line: usize) -> &str {
        self.source(path).map_or("", |source| source.line(line))
    }

    /// Reads a file that must exist, even if git has not listed it.
    pub(crate) fn required(&self, path: &str) -> FileContent {
        match self.entries.get(path) {
            Some(entry) if matches!(entry.content, FileContent::Text(_)) => FileContent::NotRead,
            _ => read_file(&self.repo.root, path),
        }
    }

    /// True if the checkout has a file or folder of that path.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let in_folder = self.entries.range(below.clone()..).next();
        self.entries.get(path).is_some_and(|entry| !matches!(entry.content, FileContent::Missing))
            || in_folder.is_some_and(|(path, _)| path.starts_with(&below))
    }
}

/// Splits at the first `byte`, which is in neither part.
fn at_first(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|b| *b == byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

fn read_file(root: &Path, path: &str) -> FileContent {
    let full = root.join(path);
    let Ok(meta) = full.symlink_metadata() else { return FileContent::Missing };
    if meta.is_symlink() {
        let target = std::fs::read_link(&full).unwrap_or_default().shown().to_string();
        return FileContent::Unusable(ReadError::Link { target });
    }
    if !meta.is_file() {
        return FileContent::Unusable(ReadError::NoFile);
    }
    if meta.len() == 0 {
        return FileContent::Unusable(ReadError::Empty);
    }
    if meta.len() > MAX_BYTES {
        return FileContent::Unusable(ReadError::TooLarge { bytes: meta.len() });
    }
    let bytes = match std::fs::read(&full) {
        Ok(bytes) => bytes,
        Err(error) => {
            return FileContent::Unusable(ReadError::Unreadable { why: error.to_string() });
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count();
            return FileContent::Unusable(ReadError::NotUtf8 { line });
        }
    };
    if text.trim().is_empty() {
        return FileContent::Unusable(ReadError::Empty);
    }
    let mut mended = Vec::new();
    let mut clean = text.as_str();
    if let Some(rest) = clean.strip_prefix('\u{feff}') {
        clean = rest;
        mended.push((1, "a byte order mark"));
    }
    let crlf = clean.split('\n').position(|line| line.ends_with('\r'));
    if let Some(n) = crlf {
        mended.push((n + 1, "CRLF line ends"));
    }
    if let Some(n) = clean.split('\n').position(|line| line.contains('\0')) {
        return FileContent::Unusable(ReadError::NotUtf8 { line: n + 1 });
    }
    let clean = if crlf.is_some() { clean.replace("\r\n", "\n") } else { clean.to_owned() };
    let executable = meta.permissions().mode() & 0o100 != 0;
    FileContent::Text(Box::new(SourceFile { executable, mended, ..SourceFile::new(path, clean) }))
}
