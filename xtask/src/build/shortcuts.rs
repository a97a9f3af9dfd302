//! Shortcuts for work on an image. The ISO of a build that takes one is never released.

use crate::engine::EngineKind;
use anyhow::Result;
use xtask_core::failure::Code;
use xtask_core::recipe::Recipe;

/// The shortcuts that a build takes.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Shortcuts {
    /// Reuse derivative-maker's packages from an earlier build of the same sources, toolchain and
    /// archive; such an ISO is never released
    #[arg(long, conflicts_with = "from_inputs")]
    reuse_packages: bool,
    /// Reuse the packages, and the root file system before the clean-up, from an earlier build of the
    /// same inputs; such an ISO is never released
    #[arg(long, conflicts_with = "from_inputs")]
    reuse_chroot: bool,
    /// Compress the root file system with zstd, which is faster than xz; such an ISO is larger, and
    /// never released
    #[arg(long)]
    fast_squashfs: bool,
}

impl Shortcuts {
    /// These shortcuts, unless the recipe or the engine has none of them.
    pub(crate) fn checked(self, recipe: &Recipe, engine: EngineKind) -> Result<Shortcuts> {
        let reused =
            [(self.reuse_packages, "--reuse-packages"), (self.reuse_chroot, "--reuse-chroot")];
        let squashfs = [(self.fast_squashfs, "--fast-squashfs")];
        let given = |flags: &[(bool, &'static str)]| -> Vec<&str> {
            flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect()
        };
        let (unknown, why) = if !recipe.needs.submodule {
            let why = format!("recipe {} has no such shortcut", recipe.name);
            (given(&[&reused[..], &squashfs].concat()), why)
        } else if engine == EngineKind::Vm {
            (given(&reused), "engine vm keeps nothing between builds".to_owned())
        } else {
            return Ok(self);
        };
        if unknown.is_empty() {
            return Ok(self);
        }
        Err(Code::Usage.error(format!("{why}: remove {}", unknown.join(" and "))))
    }

    /// True if the build takes something from an earlier one.
    pub(crate) fn reuses(self) -> bool {
        self.reuse_packages || self.reuse_chroot
    }

    /// Value of BUILD_INFO's field `Shortcuts`; `None` if the build takes none.
    pub(crate) fn record(self) -> Option<String> {
        let words = [
            (self.reuses(), "packages"),
            (self.reuse_chroot, "chroot"),
            (self.fast_squashfs, "zstd"),
        ];
        let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Words before the recipe's entry that tell it. They are no part of the container contract, whose
    /// variables alone the entrypoint lets through.
    pub(crate) fn words(self) -> Vec<String> {
        let given = [
            (self.reuse_chroot, "SILVERMETAL_REUSE_CHROOT=yes"),
            (self.fast_squashfs, "SILVERMETAL_FAST_SQUASHFS=yes"),
        ];
        let mut words: Vec<String> =
            given.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect();
        if !words.is_empty() {
            words.insert(0, "env".to_owned());
        }
        words
    }
}
