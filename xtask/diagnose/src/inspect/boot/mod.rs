//! Boot entries: what each boot loader of an image can start, with the kernel's command line.

mod efi_program;
mod grub;
mod grub_core;
mod isolinux;
mod kernel;
mod kernel_parameters;
mod loader_entries;

pub(super) use efi_program::Program;
pub(super) use grub_core::read as grub_for_bios;
pub(super) use kernel::version_of;
pub(crate) use kernel_parameters::Parameters;

use super::volumes::{FileNumber, Volumes};
use std::collections::{BTreeSet, HashSet};

/// Configurations larger than this are not read.
const LARGEST: usize = 1 << 20;

/// Configurations of boot loaders that inspect does not read.
const NOT_READ: [&str; 7] = [
    "refind.conf",
    "refind_linux.conf",
    "limine.conf",
    "limine.cfg",
    "elilo.conf",
    "startup.nsh",
    "boot.scr",
];

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
    fn new(file: &str, title: &str, kernel: &str, command_line: &str) -> BootEntry {
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
pub(super) struct Findings {
    pub(super) entries: BTreeSet<BootEntry>,
    /// Files that entries load as initramfs.
    pub(super) initrds: BTreeSet<FileNumber>,
    /// Reasons why other command lines may be possible.
    pub(super) unclear: BTreeSet<String>,
}

impl Findings {
    fn entry(&mut self, entry: BootEntry) {
        if kernel_parameters::is_too_long(&entry.kernel, &entry.command_line) {
            self.unclear(format!(
                "{}: entry `{}`: the command line is longer than Linux reads, which cuts it off",
                entry.file, entry.title
            ));
        }
        self.entries.insert(entry);
    }

    fn unclear(&mut self, what: String) {
        if self.unclear.len() < 1000 {
            self.unclear.insert(what);
        }
    }
}

/// Reads texts, and remembers which.
#[derive(Default)]
struct Reader {
    findings: Findings,
    read: HashSet<FileNumber>,
}

impl Reader {
    fn text(&mut self, volumes: &Volumes, number: FileNumber) -> Result<String, String> {
        self.read.insert(number);
        let bytes = volumes.bytes(number, LARGEST + 1).map_err(|error| error.to_string())?;
        if bytes.len() > LARGEST {
            return Err(format!("a configuration of more than {LARGEST} bytes"));
        }
        if bytes.contains(&0) {
            return Err("a configuration with bytes that are no text".to_owned());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn was_read(&self, number: FileNumber) -> bool {
        self.read.contains(&number)
    }
}

/// Reads all configurations of an image.
pub(super) fn read(volumes: &Volumes) -> Findings {
    let mut reader = Reader::default();
    isolinux::read(volumes, &mut reader);
    loader_entries::read(volumes, &mut reader);
    efi_program::read(volumes, &mut reader);
    grub::read(volumes, &mut reader);
    for number in volumes.files_where(|path| {
        let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
        NOT_READ.contains(&name.as_str())
    }) {
        let name = volumes.name(number);
        reader.findings.unclear(format!("{name}: a configuration that inspect does not read"));
    }
    reader.findings
}

/// True if an entry starts a memory test: by its name, and by every file that the name may mean.
fn is_memory_test(volumes: &Volumes, kernel: &str, files: &[FileNumber]) -> bool {
    let name = kernel.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    (name.starts_with("memtest") || name.starts_with("mt86"))
        && files.iter().all(|file| {
            let test =
                volumes.source(*file).and_then(|source| kernel::may_be_memory_test(&*source));
            test.unwrap_or(false)
        })
}
