//! The QEMU command line of the machine that boots the image.

use super::firmware::Firmware;
use crate::qemu::accel::{Accel, QEMU};
use crate::qemu::option;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use xtask_core::exec::Cmd;

/// Name of the drive with the image.
pub(crate) const CD: &str = "cd";

/// Seconds after power-on at which the screen is kept, for people who want to see how far a boot came.
pub(crate) const SHOTS: [u64; 8] = [30, 60, 120, 300, 600, 1200, 2400, 4800];

/// Everything that the command line of one boot depends on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) iso: PathBuf,
    pub(crate) firmware: Firmware,
    pub(crate) accel: Accel,
    pub(crate) cpus: usize,
    /// MiB.
    pub(crate) memory: u64,
    /// True if the image must show a desktop: a login prompt is not enough.
    pub(crate) desktop: bool,
    pub(crate) files: Files,
}

/// Files that a boot reads and writes while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    dir: PathBuf,
    name: &'static str,
}

impl Files {
    pub(crate) fn new(dir: &Path, firmware: &Firmware) -> Files {
        Files { dir: dir.to_owned(), name: firmware.name() }
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.dir.join(format!("{}.{kind}", self.name))
    }

    /// Socket of QMP.
    pub(crate) fn monitor(&self) -> PathBuf {
        self.file("monitor")
    }

    /// Every byte that the guest sent over its first serial line.
    pub(crate) fn serial(&self) -> PathBuf {
        self.file("serial.log")
    }

    /// Log of SeaBIOS, which does not print to the serial line.
    pub(crate) fn firmware_log(&self) -> PathBuf {
        self.file("firmware.log")
    }

    /// Messages of QEMU itself.
    pub(crate) fn qemu_log(&self) -> PathBuf {
        self.file("qemu.log")
    }

    pub(crate) fn screenshot(&self) -> PathBuf {
        self.file("png")
    }

    /// The screen so many seconds after power-on.
    pub(crate) fn shot(&self, seconds: u64) -> PathBuf {
        self.file(&shot(seconds))
    }

    /// The screen as a PPM, which [`super::screen`] reads.
    pub(crate) fn pixels(&self) -> PathBuf {
        self.file("ppm")
    }
}

/// End of the name of a picture that was taken on the way.
pub(crate) fn shot(seconds: u64) -> String {
    format!("{seconds}s.png")
}

impl Machine {
    pub(crate) fn cmd(&self) -> Cmd {
        let cmd = Cmd::new(QEMU)
            .args(["-no-user-config", "-nodefaults"])
            .args(["-name", &format!("silvermetal-boot-{}", self.firmware.name())])
            .args(["-machine", "q35"])
            .args(self.accel.args())
            .args(["-smp", &self.cpus.to_string(), "-m", &self.memory.to_string()])
            .args(["-display", "none", "-nic", "none"])
            // a desktop at 1920 × 1080 has several pictures of 8 MiB each in the video memory. In QEMU's default
            // of 16 MiB its screen freezes.
            .args(["-vga", "none", "-device", "VGA,vgamem_mb=64"])
            // a mouse, which a desktop's pointer follows
            .args(["-device", "qemu-xhci", "-device", "usb-tablet"])
            // a guest that resets or powers off only stops: its last messages stay on the screen
            .args(["-no-reboot", "-no-shutdown"])
            .arg("-qmp")
            .arg(option("unix:", &self.files.monitor(), ",server=on,wait=off"))
            .arg("-chardev")
            .arg(option("file,id=serial,path=", &self.files.serial(), ""))
            .args(["-serial", "chardev:serial"])
            .args(self.firmware_args())
            .arg("-drive")
            .arg(option(
                &format!("if=none,id={CD},format=raw,media=cdrom,readonly=on,file="),
                &self.iso,
                "",
            ))
            .args(["-device", &format!("ide-cd,drive={CD},bootindex=0")]);
        cmd.bound_to_us()
    }

    fn firmware_args(&self) -> Vec<OsString> {
        match &self.firmware {
            Firmware::Bios => vec![
                "-chardev".into(),
                option("file,id=firmware,path=", &self.files.firmware_log(), ""),
                "-device".into(),
                "isa-debugcon,iobase=0x402,chardev=firmware".into(),
            ],
            Firmware::Uefi(ovmf) => vec![
                "-drive".into(),
                option("if=pflash,unit=0,format=raw,readonly=on,file=", &ovmf.code, ""),
                "-drive".into(),
                // writes go to a private temporary file, and are discarded
                option("if=pflash,unit=1,format=raw,snapshot=on,file=", &ovmf.vars, ""),
            ],
        }
    }
}

/// Parses `7.2` from `QEMU emulator version 7.2.22 (Debian …)`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version ")?.1.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some((major, minor))
}

/// Returns `true` for a QEMU older than 7.1, the first whose `screendump` writes PNG.
pub(crate) fn too_old(version: (u32, u32)) -> bool {
    version < (7, 1)
}

/// The command that prints QEMU's version.
pub(crate) fn version_cmd() -> Cmd {
    Cmd::new(QEMU).arg("--version")
}

#[cfg(test)]
mod tests {
    use super::super::firmware::Ovmf;
    use super::*;

    fn machine(firmware: Firmware, accel: Accel) -> Machine {
        let files = Files::new(Path::new("/tmp/run"), &firmware);
        let iso = "/a b/c,d.iso".into();
        Machine { iso, firmware, accel, cpus: 2, memory: 2048, desktop: false, files }
    }

    #[test]
    fn the_command_line_under_bios() {
        assert_eq!(
            machine(Firmware::Bios, Accel::Tcg).cmd().to_string(),
            "setpriv --pdeathsig KILL -- qemu-system-x86_64 -no-user-config -nodefaults \
             -name silvermetal-boot-bios -machine q35 -accel tcg -cpu max -smp 2 -m 2048 \
             -display none -nic none -vga none -device VGA,vgamem_mb=64 \
             -device qemu-xhci -device usb-tablet -no-reboot -no-shutdown \
             -qmp unix:/tmp/run/bios.monitor,server=on,wait=off \
             -chardev file,id=serial,path=/tmp/run/bios.serial.log -serial chardev:serial \
             -chardev file,id=firmware,path=/tmp/run/bios.firmware.log \
             -device isa-debugcon,iobase=0x402,chardev=firmware \
             -drive 'if=none,id=cd,format=raw,media=cdrom,readonly=on,file=/a b/c,,d.iso' \
             -device ide-cd,drive=cd,bootindex=0"
        );
    }

    #[test]
    fn the_command_line_under_uefi() {
        let machine = machine(Firmware::Uefi(Ovmf::of_debian()), Accel::Kvm);
        let shown = machine.cmd().to_string();
        let firmware = "-drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
                        -drive if=pflash,unit=1,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd";
        assert!(shown.contains(firmware), "{shown}");
        assert!(shown.contains("-accel kvm -cpu host "), "{shown}");
        assert!(!shown.contains("debugcon"), "only SeaBIOS has a debug console: {shown}");
    }

    #[test]
    fn the_version_is_parsed() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright";
        assert_eq!(version(debian), Some((7, 2)));
        assert_eq!(version("QEMU emulator version 10.0-rc1"), Some((10, 0)));
        assert_eq!(version("segmentation fault"), None);
        assert!(too_old((6, 2)) && too_old((7, 0)) && !too_old((7, 1)) && !too_old((10, 0)));
    }
}
