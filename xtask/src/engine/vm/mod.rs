//! Engine `vm`: the builder image under QEMU, with Debian's kernel and a clock of its own.
//!
//! `init.sh` is the first process, `enter.sh` the second: it gives the builder what an engine gives its container.
//! The recipe's entry then runs under the same systemd and the same contract as in a container.

mod initramfs;
mod kernels;
mod measured;
mod modules;
mod run;

pub(crate) use kernels::Kernel;
pub(crate) use measured::Measured;
pub(crate) use run::{Share, VmRun, seen_from_inside};

use crate::qemu::accel::{Accel, Choice, QEMU};
use crate::qemu::runtime;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::host::Host;
use xtask_core::failure::Problem;
use xtask_core::pins::Digest;
use xtask_core::ui::Ui;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Factor by which emulated work takes longer, measured on the canary: linux/build/README.md, Engines.
const EMULATED: u32 = 30;

/// The virtual machines that can run here.
#[derive(Clone, Debug)]
pub(crate) struct VmFacts {
    pub(crate) accel: Choice,
    /// First the one of every build, then the one of `--vary kernel`.
    pub(crate) kernels: Vec<Kernel>,
    /// Processors and bytes of memory of a machine.
    pub(crate) cpus: usize,
    pub(crate) memory: u64,
    state: PathBuf,
}

/// Debian packages of the engine.
pub(super) fn packages() -> Vec<String> {
    let programs = [
        ("qemu-system-x86", QEMU),
        ("e2fsprogs", "mke2fs"),
        ("xz-utils", "xz"),
        ("util-linux", "setpriv"),
    ];
    let missing = programs.into_iter().filter(|(_, program)| which(program).is_none());
    missing.map(|(package, _)| package.to_owned()).collect()
}

impl VmFacts {
    /// Facts for a recipe that needs so many GiB of memory. `state` is the state folder.
    pub(crate) fn gather(host: &Host, state: &Path, gib: u64) -> Result<VmFacts> {
        let accel = if packages().is_empty() && host.is_root() {
            let name = format!("silvermetal-boot-probe-vm-{}", std::process::id());
            Choice::make(&runtime::base().join(name))?
        } else {
            Choice::emulated("it could not be tried")
        };
        let cpus = match accel.accel {
            Accel::Kvm => host.cpus,
            Accel::Tcg => accel.accel.cpus(host.cpus),
        };
        let memory = (host.memory / 2).min(gib * GIB).max(GIB);
        let state = state.to_owned();
        Ok(VmFacts { accel, kernels: kernels::find(&state), cpus, memory, state })
    }

    /// The kernel with this place in the list; in a dry run without one, the one that `--setup` gets.
    pub(crate) fn kernel(&self, place: usize) -> Kernel {
        self.kernels.get(place).cloned().unwrap_or_else(|| kernels::expected(&self.state, place))
    }

    /// Disk image of the tree of the builder image with this digest.
    pub(crate) fn tree(&self, digest: Option<&Digest>) -> PathBuf {
        let name = digest.map_or("unknown", |digest| &digest.hex()[..12]);
        self.state.join("vm/trees").join(format!("{name}.ext4"))
    }

    /// Folder that keeps downloaded packages between builds.
    pub(crate) fn cache(&self) -> PathBuf {
        self.state.join("vm/apt-cache")
    }

    /// The problem that there is no kernel, unless `--setup` gets one.
    pub(crate) fn problem(&self, setup: bool) -> Option<Problem> {
        (self.kernels.is_empty() && !setup).then(|| {
            let what = "engine vm has no kernel: Debian's is downloaded once";
            Problem::new(what, "get it: cargo xtask doctor canary --setup --engine vm")
        })
    }

    /// A line for people: how fast builds are here.
    pub(crate) fn notice(&self) -> Option<String> {
        let why = self.accel.why_not_kvm.as_ref()?;
        Some(format!(
            "engine vm emulates a processor, which takes about {EMULATED} times as long as a container \
             (no KVM: {why})"
        ))
    }

    /// A line for a plan: accelerator, processors, kernel.
    pub(crate) fn describe(&self) -> String {
        let kernel = match self.kernels.first() {
            Some(kernel) => kernel.package.clone(),
            None => "a kernel that --setup gets".to_owned(),
        };
        let accel = self.accel.accel.name();
        format!("vm: the builder image in QEMU ({accel}, {} CPU), with {kernel}", self.cpus)
    }

    /// How many times as long as in a container a build takes here: 1 with KVM.
    pub(crate) fn slower(&self) -> u32 {
        match self.accel.accel {
            Accel::Kvm => 1,
            Accel::Tcg => EMULATED,
        }
    }

    /// About the time of a build here that takes `native` in a container.
    pub(crate) fn about(&self, native: Duration) -> Duration {
        native * self.slower()
    }

    /// Gets the kernels.
    pub(crate) fn prepare(&self, ui: &Ui) -> Result<()> {
        kernels::prepare(&self.state, ui)
    }
}

/// QEMU's version.
pub(crate) fn version() -> Option<String> {
    let text = Cmd::new(QEMU).arg("--version").read().ok()?;
    let rest = text.split_once("version ")?.1;
    Some(format!("QEMU {}", rest.split_whitespace().next()?))
}
