//! The contents of a recipe.toml.

use super::engine_kind::EngineKind;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The contents of a recipe.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Name of the folder.
    pub name: String,
    pub dir: PathBuf,
    pub description: String,
    /// Executable in the folder. Its arguments are the names of the stages.
    pub entry: String,
    /// File name of the ISO that the entry leaves in out/.
    pub iso: String,
    /// True if its ISO may become a release.
    pub released: bool,
    /// Flavors that the recipe can build; empty if it has only one.
    pub flavors: Vec<String>,
    pub needs: Needs,
    /// The content policy for its image; `None` if the recipe has none of its own.
    pub policy: Option<Policy>,
    /// How the images of flavors are booted: tables `[boot.FLAVOR]`.
    pub boot: BTreeMap<String, BootNeeds>,
    pub stages: Vec<Stage>,
}

/// Requirements of a build: table `[needs]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// True if it builds from linux/build/derivative-maker.
    pub submodule: bool,
    pub engines: Vec<EngineKind>,
    /// Free disk space for work folder and engine, in GiB.
    pub disk_gib: u64,
    /// RAM in GiB.
    pub ram_gib: u64,
    /// Size of what the stages write to out/tmp, in GiB; 0 if they work elsewhere. If it is not 0,
    /// `verify` can give them a file system there that lists its entries in another order.
    pub scratch_gib: u64,
    /// Debian packages that engine `host` uses.
    pub host_packages: Vec<String>,
}

/// The content policy of a recipe: table `[policy]`. `cargo xtask inspect` compares an image with it.
/// The rules that hold for every image are in `inspect` itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// True if a violation fails the build; otherwise the build only reports it.
    pub enforced: bool,
    /// Hosts that the image may fetch packages from; empty if it has no package sources.
    pub package_hosts: Vec<String>,
    /// Suites that must be among the enabled package sources.
    pub suites: Vec<String>,
    /// Parameters that every boot entry's kernel command line must have.
    pub kernel_parameters: Vec<String>,
    /// Firmware that the image must boot under: `BIOS`, `UEFI`.
    pub firmware: Vec<String>,
    /// Packages that the image of a flavor must have. Empty, or a list for each flavor.
    pub packages: BTreeMap<String, Vec<String>>,
}

/// The machine and the time that `cargo xtask boot` gives the image of a flavor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootNeeds {
    /// True if it boots to a desktop, and not only to a login prompt.
    pub desktop: bool,
    /// Seconds until a boot is given up under software emulation.
    pub timeout: u64,
    /// MiB.
    pub memory: u64,
}

/// One entry of `[[stage]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    pub name: String,
    /// Files that the stage leaves in out/. The ledger holds their hashes.
    pub produces: Vec<String>,
}
