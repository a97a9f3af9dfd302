//! The full log of a run. It lies outside the work folder, so that it survives a failure.

use crate::as_seen::as_seen;
use crate::escape::Shown as _;
use crate::failure::Code;
use anyhow::{Context as _, Result};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The last meaningful lines of a command's output, for the error if it fails. Shown, each begins on a
/// new line.
#[derive(Clone, Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    /// Lines that are kept.
    const MOST: usize = 20;

    /// Adds a line, unless it says nothing about a failure.
    pub fn push(&mut self, line: &str) {
        let line = as_seen(line);
        let repeated = self.0.back().is_some_and(|last| *last == line);
        if repeated || line.trim().is_empty() || line.starts_with(MARK) {
            return;
        }
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" it printed nothing");
        }
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Beginning of the lines that a recipe writes for xtask, as `@@stage NAME`.
const MARK: &str = "@@";

/// A log file that is being written, and its last lines.
pub struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    tail: Tail,
}

impl Log {
    /// Creates the file, and its folder if that is missing.
    pub fn create(path: &Path) -> Result<Log> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        }
        let file = File::create(path).with_context(|| format!("cannot write {}", path.shown()))?;
        Ok(Log { path: path.to_owned(), file: BufWriter::new(file), tail: Tail::default() })
    }

    /// Appends a line of a command's output, without its line end.
    pub fn line(&mut self, line: &str) -> Result<()> {
        self.tail.push(line);
        self.remark(line)
    }

    /// Appends a line that no failure needs to show.
    pub fn remark(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.path.shown()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.shown()))
    }

    /// The error for a failed step: what failed, the path of the log, and its last lines.
    pub fn failure(&mut self, what: &str) -> anyhow::Error {
        let incomplete = match self.flush() {
            Ok(()) => String::new(),
            Err(error) => format!(" (incomplete: {error:#})"),
        };
        let log = self.path.shown();
        // at the end, because people read there
        Code::Failed.error(format!("{what}\n  log: {log}{incomplete}\n  last lines:{}", self.tail))
    }
}
