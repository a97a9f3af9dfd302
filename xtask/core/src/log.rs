//! The full log of a run. It lies outside the work folder, so that it survives a failure.

use crate::failure::Code;
use anyhow::{Context as _, Result};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The last lines of a command's output, for the error if it fails. Shown, each begins on a new line.
#[derive(Clone, Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    /// Lines that are kept.
    const MOST: usize = 20;

    pub fn push(&mut self, line: &str) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
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
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Log { path: path.to_owned(), file: BufWriter::new(file), tail: Tail::default() })
    }

    /// Appends a line, without its line end.
    pub fn line(&mut self, line: &str) -> Result<()> {
        self.tail.push(line);
        writeln!(self.file, "{line}")
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The error for a failed step: what failed, the last lines, and the path of the log.
    pub fn failure(&mut self, what: &str) -> anyhow::Error {
        let flushed = self.flush();
        let mut text =
            format!("{what}\n  last lines:{}\n  log: {}", self.tail, self.path.display());
        if let Err(error) = flushed {
            text += &format!(" (incomplete: {error:#})");
        }
        Code::Failed.error(text)
    }
}
