//! What is the case before an image is booted: all of it, whatever is wrong with it.

use super::accel::Choice;
use super::firmware::{self, Firmware};
use super::{iso, qemu, runtime};
use crate::cli::BootArgs;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::exec::which;
use xtask_core::facts::host::Host;
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::{interrupt, setup};

/// The Debian packages that booting takes: QEMU, and firmware for UEFI.
pub(crate) const PACKAGES: [&str; 2] = ["qemu-system-x86", "ovmf"];

const MIB: u64 = 1 << 20;

pub(crate) struct Facts {
    /// Absolute.
    pub(crate) iso: PathBuf,
    pub(crate) host: Host,
    /// In the order they are booted.
    pub(crate) firmwares: Vec<Firmware>,
    pub(crate) accel: Choice,
    /// Where screenshots and logs go.
    pub(crate) output: PathBuf,
    /// The folder that QEMU works in.
    pub(crate) runtime: PathBuf,
    /// Packages that this machine lacks.
    pub(crate) missing: Vec<String>,
    qemu: Option<(u32, u32)>,
}

impl Facts {
    pub(crate) fn gather(args: &BootArgs) -> Result<Facts> {
        let iso = iso::find(&args.iso)?;
        let output = match &args.output {
            Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
            None => iso.with_file_name("boot"),
        };
        let (firmwares, no_ovmf) = firmware::choose(args.firmware, Path::new("/"));
        let no_qemu = which(qemu::QEMU).is_none();
        let no_setpriv = which("setpriv").is_none();
        let [qemu_package, ovmf_package] = PACKAGES;
        let lacking =
            [(no_qemu, qemu_package), (no_ovmf, ovmf_package), (no_setpriv, "util-linux")];
        let base = runtime::base();
        let (qemu, accel) = if no_qemu || no_setpriv {
            (None, Choice::emulated("there is no QEMU to try it with"))
        } else {
            let version = qemu::version(&qemu::version_cmd().read()?);
            let scratch = base.join(format!("silvermetal-boot-probe-{}", std::process::id()));
            (version, Choice::make(&scratch)?)
        };
        interrupt::check()?;
        Ok(Facts {
            runtime: runtime::place(&base, &output),
            iso,
            host: Host::gather()?,
            firmwares,
            accel,
            output,
            missing: lacking.iter().filter(|(is, _)| *is).map(|(_, p)| (*p).to_owned()).collect(),
            qemu,
        })
    }

    /// `setup`: what `--setup` would mend is no problem.
    pub(crate) fn problems(&self, setup: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        if !self.missing.is_empty() && !setup {
            found.push(setup::problem(&self.missing));
        }
        if let Some(version) = self.qemu.filter(|version| qemu::too_old(*version)) {
            let (major, minor) = version;
            let what = format!("QEMU {major}.{minor} is too old: screenshots need 7.1");
            found.push(Problem::new(what, "install a newer one: Debian 12 has 7.2"));
        }
        found
    }

    /// MiB for a guest: what a live system needs, without pressing a small host.
    pub(crate) fn memory(&self) -> u64 {
        (self.host.memory / 4 / MIB).clamp(1024, 2048)
    }

    /// How many boots go on side by side. Emulation keeps one core busy, so two take 66 s on two
    /// cores where one after the other takes 104 s.
    pub(crate) fn at_once(&self) -> usize {
        let room = self.host.memory / MIB >= 3 * self.memory();
        if room { self.host.cpus.min(self.firmwares.len()) } else { 1 }
    }
}
