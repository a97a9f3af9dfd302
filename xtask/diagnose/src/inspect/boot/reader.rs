//! The configurations that were read, and what was found in them.

use super::entry::BootFindings;
use crate::inspect::kernel;
use crate::inspect::volumes::{FileNumber, Volumes};
use std::collections::HashSet;

/// Configurations larger than this are not read.
const LARGEST: usize = 1 << 20;

/// Reads texts, and remembers which.
#[derive(Default)]
pub(super) struct ConfigReader {
    pub(super) findings: BootFindings,
    read: HashSet<FileNumber>,
}

impl ConfigReader {
    pub(super) fn text(&mut self, volumes: &Volumes, number: FileNumber) -> Result<String, String> {
        self.read.insert(number);
        let bytes = volumes.bytes(number, LARGEST + 1).map_err(|error| error.to_string())?;
        if bytes.len() > LARGEST {
            return Err(format!("a configuration of more than {LARGEST} bytes"));
        }
        // GRUB unpacks what is compressed; a text has no other control characters than these
        let is_text = |byte: &u8| *byte >= b' ' || b"\t\n\x0b\x0c\r\x1a\x1b".contains(byte);
        if !bytes.iter().all(is_text) {
            return Err("a configuration with bytes that are no text".to_owned());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn was_read(&self, number: FileNumber) -> bool {
        self.read.contains(&number)
    }
}

/// True if an entry starts a memory test: by its name, and by every file that the name may mean.
pub(super) fn is_memory_test(volumes: &Volumes, kernel: &str, files: &[FileNumber]) -> bool {
    let name = kernel.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    (name.starts_with("memtest") || name.starts_with("mt86"))
        && files.iter().all(|file| {
            let test =
                volumes.source(*file).and_then(|source| kernel::may_be_memory_test(&*source));
            test.unwrap_or(false)
        })
}
