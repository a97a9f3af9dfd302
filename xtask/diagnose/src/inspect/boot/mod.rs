//! Boot entries: what each boot loader of an image can start, with the kernel's command line.

mod efi_program;
mod entry;
mod grub;
mod isolinux;
mod kernel_parameters;
mod loader_entries;
mod reader;

pub(super) use entry::{BootEntry, BootFindings};
pub(super) use kernel_parameters::Parameters;

use super::volumes::Volumes;
use reader::ConfigReader;

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

/// Reads all configurations of an image.
pub(super) fn read(volumes: &Volumes) -> BootFindings {
    let mut reader = ConfigReader::default();
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
    for number in volumes.files_where(|path| path.to_lowercase().ends_with(".cred")) {
        let what = "a credential, which systemd-stub hands to the system that it starts";
        reader.findings.unclear(format!("{}: {what}", volumes.name(number)));
    }
    reader.findings
}
