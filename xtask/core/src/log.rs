//! The full log of a run: kept outside the work folder, so that it survives a failure.

use crate::failure::Code;
use anyhow::{Context as _, Result};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Lines that a failure shows.
const TAIL: usize = 20;

pub struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    tail: VecDeque<String>,
}

impl Log {
    pub fn create(path: &Path) -> Result<Log> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Log { path: path.to_owned(), file: BufWriter::new(file), tail: VecDeque::new() })
    }

    pub fn line(&mut self, line: &str) -> Result<()> {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        writeln!(self.file, "{line}")
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// A failed step: what failed, the last lines, where all of it is.
    pub fn failure(&mut self, what: &str) -> anyhow::Error {
        let flushed = self.flush();
        let mut text = format!("{what}\n  last lines:");
        for line in &self.tail {
            text += &format!("\n    {line}");
        }
        text += &format!("\n  log: {}", self.path.display());
        if let Err(error) = flushed {
            text += &format!(" (incomplete: {error:#})");
        }
        Code::Failed.error(text)
    }
}
