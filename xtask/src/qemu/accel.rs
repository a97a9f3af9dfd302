//! Chooses KVM if it really works, else software emulation.

use super::runtime::RuntimeDir;
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Exit};
use xtask_core::interrupt;

pub(crate) const QEMU: &str = "qemu-system-x86_64";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accel {
    Kvm,
    /// Software emulation. It works everywhere, and is ten times slower.
    Tcg,
}

impl Accel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }

    pub(crate) fn args(self) -> [&'static str; 4] {
        match self {
            Accel::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Accel::Tcg => ["-accel", "tcg", "-cpu", "max"],
        }
    }

    /// Number of processors for a guest, on a host that has `host` of them.
    pub(crate) fn cpus(self, host: usize) -> usize {
        match self {
            Accel::Kvm => host.min(2),
            // Measured with QEMU 7.2: a second processor saves no time, and in 1 of 19 boots the
            // guest's kernel crashed while it patched its own code (`Oops: int3`, then a panic).
            Accel::Tcg => 1,
        }
    }
}

/// The accelerator for this host, and the reason if it is not KVM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) accel: Accel,
    pub(crate) why_not_kvm: Option<String>,
}

impl Choice {
    pub(crate) fn emulated(why: impl Into<String>) -> Choice {
        Choice { accel: Accel::Tcg, why_not_kvm: Some(why.into()) }
    }

    /// Tries KVM with a small guest. `scratch` is a folder to create for it; it is removed again.
    pub(crate) fn make(scratch: &Path) -> Result<Choice> {
        let device = Path::new("/dev/kvm");
        if !device.exists() {
            return Ok(Choice::emulated("there is no /dev/kvm"));
        }
        if let Err(error) = File::options().read(true).write(true).open(device) {
            return Ok(Choice::emulated(format!("/dev/kvm: {error}")));
        }
        let dir = RuntimeDir::create(scratch)?;
        let rom = dir.path().join("probe.rom");
        fs::write(&rom, probe_rom()).with_context(|| format!("cannot write {}", rom.shown()))?;
        let log = dir.path().join("probe.log");
        let qemu = probe_cmd(&rom).start(&log)?; // killed when dropped
        let begun = Instant::now();
        while begun.elapsed() < PROBE_WITHIN {
            interrupt::check()?;
            if let Some(exit) = qemu.ended()? {
                return Ok(Choice::of(exit, &fs::read_to_string(&log).unwrap_or_default()));
            }
            sleep(Duration::from_millis(5));
        }
        let seconds = PROBE_WITHIN.as_secs();
        Ok(Choice::emulated(format!(
            "a guest needs over {seconds} s for a few milliseconds of work"
        )))
    }

    fn of(exit: Exit, log: &str) -> Choice {
        if exit == Exit::Code(PROBE_EXIT) {
            return Choice { accel: Accel::Kvm, why_not_kvm: None };
        }
        Choice::emulated(format!("{exit}: {}", log.lines().last().unwrap_or("no message").trim()))
    }
}

const PROBE_WITHIN: Duration = Duration::from_secs(3);
/// QEMU's exit code: isa-debug-exit makes it `(value << 1) | 1`.
const PROBE_EXIT: i32 = (PROBE_VALUE as i32) << 1 | 1;
const PROBE_VALUE: u8 = 0x10;
const PROBE_PORT: u8 = 0xf4;

fn probe_cmd(rom: &Path) -> Cmd {
    Cmd::new(QEMU)
        .args(["-no-user-config", "-nodefaults", "-machine", "q35", "-m", "16"])
        .args(Accel::Kvm.args())
        .args(["-display", "none", "-nic", "none"])
        .args(["-device", &format!("isa-debug-exit,iobase={PROBE_PORT:#x},iosize=1")])
        .arg("-bios")
        .arg(rom)
        .bound_to_us()
}

/// A firmware that counts down from 16 Mi in 32-bit protected mode, the mode of a boot loader,
/// and then ends QEMU. A CPU needs 5 ms for it.
///
/// Opening /dev/kvm and starting a machine proves little: on a host without VT-x (kvm_pvm, old
/// CPUs) the kernel *interprets* all guest code outside of long mode. That is a thousand times
/// slower, and a boot loader never finishes unpacking itself.
#[rustfmt::skip] // one instruction per line
fn probe_rom() -> Vec<u8> {
    const SIZE: usize = 0x1_0000; // mapped to the last 64 KiB below 4 GiB, and to 0xf0000
    const ALIAS: u32 = 0xf_0000;
    const START: u16 = 0xff00;
    const GDT: u16 = 0xff40;
    const GDTR: u16 = 0xff50;
    const PROTECTED: u16 = 0xff60;
    const RESET: u16 = 0xfff0;
    const COUNT: u32 = 1 << 24;

    let mut rom = vec![0xf4; SIZE]; // hlt
    let mut put = |at: u16, parts: &[&[u8]]| {
        let bytes = parts.concat();
        rom[usize::from(at)..][..bytes.len()].copy_from_slice(&bytes);
    };
    let linear = |offset: u16| (ALIAS + u32::from(offset)).to_le_bytes();

    put(RESET, &[&[0xe9], &START.wrapping_sub(RESET + 3).to_le_bytes()]); // jmp START
    put(
        START,
        &[
            &[0xfa],                                            // cli
            &[0x2e, 0x66, 0x0f, 0x01, 0x16], &GDTR.to_le_bytes(), // lgdt cs:[GDTR]
            &[0x0f, 0x20, 0xc0],                                // mov eax, cr0
            &[0x0c, 0x01],                                      // or al, 1
            &[0x0f, 0x22, 0xc0],                                // mov cr0, eax
            &[0x66, 0xea], &linear(PROTECTED), &8u16.to_le_bytes(), // jmp 8:PROTECTED
        ],
    );
    put(GDT, &[&[0; 8], &0x00cf_9a00_0000_ffff_u64.to_le_bytes()]); // null, flat 32-bit code
    put(GDTR, &[&15u16.to_le_bytes(), &linear(GDT)]);
    put(
        PROTECTED,
        &[
            &[0xb9], &COUNT.to_le_bytes(), // mov ecx, COUNT
            &[0x49],                       // dec ecx
            &[0x75, 0xfd],                 // jnz back to it
            &[0xb0, PROBE_VALUE],          // mov al, value
            &[0xe6, PROBE_PORT],           // out port, al
        ],
    );
    rom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_begins_at_the_reset_vector_and_ends_at_the_exit_port() {
        let rom = probe_rom();
        assert_eq!(rom.len(), 65_536, "QEMU accepts whole multiples of 64 KiB");
        assert_eq!(rom[0xfff0..0xfff3], [0xe9, 0x0d, 0xff], "jmp from fff3 back to ff00");
        assert_eq!(
            rom[0xff60..0xff6d],
            [0xb9, 0, 0, 0, 1, 0x49, 0x75, 0xfd, 0xb0, 0x10, 0xe6, 0xf4, 0xf4]
        );
        assert_eq!(PROBE_EXIT, 33);
    }

    #[test]
    fn the_probe_asks_for_kvm() {
        assert_eq!(
            probe_cmd(Path::new("/tmp/x.rom")).to_string(),
            "setpriv --pdeathsig KILL -- qemu-system-x86_64 -no-user-config -nodefaults -machine q35 -m 16 \
             -accel kvm -cpu host -display none -nic none \
             -device isa-debug-exit,iobase=0xf4,iosize=1 -bios /tmp/x.rom"
        );
    }

    #[test]
    fn kvm_is_chosen_only_if_the_guest_finished() {
        assert_eq!(Choice::of(Exit::Code(33), "warning: x").accel, Accel::Kvm);
        assert_eq!(Choice::of(Exit::Code(0), "").accel, Accel::Tcg);
        let refused = Choice::of(Exit::Code(1), "qemu: a\nqemu: failed to initialize kvm: Busy\n");
        let why = "exit 1: qemu: failed to initialize kvm: Busy";
        assert_eq!(refused, Choice { accel: Accel::Tcg, why_not_kvm: Some(why.into()) });
    }
}
