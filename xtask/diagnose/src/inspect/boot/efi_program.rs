//! Programs of UEFI firmware that start Linux by themselves: unified kernel images, and a kernel that
//! the firmware starts.

use super::entry::BootEntry;
use super::reader::{ConfigReader, is_memory_test};
use crate::inspect::volumes::Volumes;

/// Takes the programs down that start Linux without a boot loader's configuration.
pub(super) fn read(volumes: &Volumes, reader: &mut ConfigReader) {
    for (number, program) in &volumes.programs {
        let name = volumes.name(*number);
        if program.linux {
            for line in &program.command_lines {
                let entry = BootEntry::new(&name, "unified kernel image", &name, line);
                reader.findings.entry(entry);
            }
            if program.command_lines.is_empty() {
                reader.findings.entry(BootEntry::new(&name, "unified kernel image", &name, ""));
            }
        } else if !program.command_lines.is_empty() {
            let what = "an add-on that puts parameters on the command line of other kernels";
            reader.findings.unclear(format!("{name}: {what}"));
        } else if is_started_by_firmware(&name)
            && volumes.is_kernel(*number)
            && !is_memory_test(volumes, "memtest", &[*number])
        {
            reader.findings.entry(BootEntry::new(&name, "started by the firmware", &name, ""));
        }
    }
}

/// True for `EFI/BOOT/BOOTX64.EFI` and its like for other machines.
fn is_started_by_firmware(path: &str) -> bool {
    let path = path.to_lowercase();
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    name.starts_with("boot")
        && name.ends_with(".efi")
        && parts.next() == Some("boot")
        && parts.next() == Some("efi")
}
