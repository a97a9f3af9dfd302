//! Boot entries, as the readers of configurations find them.

use super::kernel_parameters::{Parameters, is_too_long};
use crate::inspect::volumes::FileNumber;
use std::collections::BTreeSet;

/// One entry that starts Linux.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootEntry {
    /// Path of the configuration in the image.
    pub(crate) file: String,
    pub(crate) title: String,
    /// Path of the kernel, as the entry names it.
    pub(crate) kernel: String,
    /// The command line that Linux gets.
    pub(crate) command_line: String,
}

impl BootEntry {
    pub(super) fn new(file: &str, title: &str, kernel: &str, command_line: &str) -> BootEntry {
        let [file, title, kernel, command_line] =
            [file, title, kernel, command_line].map(str::to_owned);
        BootEntry { file, title, kernel, command_line }
    }

    pub(crate) fn parameters(&self) -> Parameters {
        Parameters::parse(&self.command_line)
    }
}

/// Results of all readers of configurations.
#[derive(Default)]
pub(in crate::inspect) struct BootFindings {
    pub(in crate::inspect) entries: BTreeSet<BootEntry>,
    /// Files that entries load as initramfs.
    pub(in crate::inspect) initrds: BTreeSet<FileNumber>,
    /// Reasons why other command lines may be possible.
    pub(in crate::inspect) unclear: BTreeSet<String>,
}

impl BootFindings {
    pub(super) fn entry(&mut self, entry: BootEntry) {
        if is_too_long(&entry.kernel, &entry.command_line) {
            self.unclear(format!(
                "{}: entry `{}`: the command line is longer than Linux reads, which cuts it off",
                entry.file, entry.title
            ));
        }
        self.entries.insert(entry);
    }

    pub(super) fn unclear(&mut self, what: String) {
        if self.unclear.len() < 1000 {
            self.unclear.insert(what);
        }
    }
}
