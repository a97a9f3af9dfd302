//! Facts gathered before a boot. Preflight reports the bad ones.

use super::args::BootArgs;
use super::firmware::{self, Firmware};
use super::{iso, output, qemu};
use crate::qemu::accel::{Accel, Choice, QEMU};
use crate::qemu::runtime;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::exec::which;
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::recipe::{BootNeeds, Recipe};
use xtask_core::records::published::BuildInfo;
use xtask_core::replace::BOOT_FOLDER;
use xtask_core::{apt, interrupt};

/// Debian packages that a boot needs: QEMU, and firmware for UEFI.
pub(crate) const PACKAGES: [&str; 2] = ["qemu-system-x86", "ovmf"];

const MIB: u64 = 1 << 20;
/// Seconds until a boot is given up, if no recipe says more.
const TIMEOUT: u64 = 600;

pub(crate) struct BootFacts {
    /// Absolute path.
    pub(crate) iso: PathBuf,
    pub(crate) host: Host,
    /// Firmwares in the order of their boots.
    pub(crate) firmwares: Vec<Firmware>,
    pub(crate) accel: Choice,
    /// Folder for screenshots and logs.
    pub(crate) output: PathBuf,
    /// Folder for QEMU's sockets and raw logs.
    pub(crate) runtime: PathBuf,
    /// The boot settings of the recipe, if records beside the image name recipe and flavor.
    pub(crate) needs: Option<BootNeeds>,
    /// Seconds until a boot is given up.
    pub(crate) timeout: u64,
    /// Debian packages that this machine lacks.
    pub(crate) missing: Vec<String>,
    qemu: Option<(u32, u32)>,
}

impl BootFacts {
    pub(crate) fn gather(repo: &Repo, iso: &Path, args: &BootArgs) -> Result<BootFacts> {
        let iso = iso::find(iso)?;
        let needs = needs(repo, &iso);
        let output = match &args.output {
            Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
            None => iso.with_file_name(BOOT_FOLDER),
        };
        let (firmwares, no_ovmf) = firmware::choose(args.firmware, Path::new("/"));
        let no_qemu = which(QEMU).is_none();
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
        let default = needs.as_ref().map_or(TIMEOUT, |needs| needs.timeout);
        Ok(BootFacts {
            timeout: args.timeout.unwrap_or(default),
            needs,
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

    /// Problems that prevent a boot. With `setup`, missing packages are none: `--setup` installs them.
    pub(crate) fn problems(&self, setup: bool) -> Vec<Problem> {
        let names: Vec<&str> = self.firmwares.iter().map(Firmware::name).collect();
        let mut found: Vec<Problem> =
            output::in_the_way(&self.output, &names).into_iter().collect();
        found.extend(apt::problem(&self.missing, setup));
        if let Some(version) = self.qemu.filter(|version| qemu::too_old(*version)) {
            let (major, minor) = version;
            let what = format!("QEMU {major}.{minor} is too old: screenshots need 7.1");
            found.push(Problem::new(what, "install a newer one: Debian 12 has 7.2"));
        }
        found
    }

    /// Memory of a guest in MiB: what the recipe says, but at most half of the host's; else enough for a
    /// live system, and at most a quarter of the host's.
    pub(crate) fn memory(&self) -> u64 {
        let host = self.host.memory / MIB;
        match &self.needs {
            Some(needs) => needs.memory.min(host / 2).max(1024),
            None => (host / 4).clamp(1024, 2048),
        }
    }

    /// True if the recipe promises a desktop.
    pub(crate) fn desktop(&self) -> bool {
        self.needs.as_ref().is_some_and(|needs| needs.desktop)
    }

    /// Processors of a guest. A desktop is not usable with one.
    pub(crate) fn cpus(&self, accel: Accel) -> usize {
        if self.desktop() { self.host.cpus.min(2) } else { accel.cpus(self.host.cpus) }
    }

    /// Number of boots to run at the same time. An emulated guest keeps one core busy: on two cores,
    /// two boots take 66 s together, and 104 s one after the other.
    pub(crate) fn at_once(&self) -> usize {
        let room = self.host.memory / MIB >= 3 * self.memory();
        let each = self.cpus(self.accel.accel).max(1);
        if room { (self.host.cpus / each).clamp(1, self.firmwares.len()) } else { 1 }
    }
}

/// The boot settings of the recipe for the image, by the records beside it.
fn needs(repo: &Repo, iso: &Path) -> Option<BootNeeds> {
    let info = BuildInfo::read(&iso.parent()?.join("BUILD_INFO")).ok()?;
    // somebody else's record says nothing of this image
    if iso.file_name()?.to_str()? != info.get("Iso") {
        return None;
    }
    let recipe = Recipe::load(repo, info.get("Recipe")).ok()?;
    recipe.boot.get(info.get("Flavor")).cloned()
}
