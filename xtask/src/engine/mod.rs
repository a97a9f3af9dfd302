//! Engines that builds run on: docker, podman, a private dockerd, this host without
//! containers, or a virtual machine.

pub(crate) mod advice;
mod args;
mod capabilities;
pub(crate) mod client;
pub(crate) mod container;
pub(crate) mod host;
pub(crate) mod paths;
mod podman;
pub(crate) mod private;
mod select;
mod status;
pub(crate) mod variations;
pub(crate) mod vm;

pub(crate) use args::BuildArgs;
pub(crate) use client::Client;
pub(crate) use select::{Selection, detect};
pub(crate) use status::EngineStatus;
pub(crate) use xtask_core::recipe::EngineKind;

/// Note for a build on which `auto` selects engine host.
pub(crate) const HOST_NOTICE: &str =
    "no container engine can run here: building with engine host, whose ISO is never released";

/// Value of `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EngineChoice {
    /// The engine of the last --setup, docker, podman, private, host (canary only): the first that can run
    Auto,
    /// A running Docker Engine
    Docker,
    /// Podman, which has docker's command line
    Podman,
    /// A private dockerd under target/, stopped afterwards (needs root)
    Private,
    /// No container: the tools of this Debian, in private namespaces (needs root)
    Host,
    /// The builder image in QEMU, with a kernel and a clock of its own (needs root; slow without KVM)
    Vm,
}

impl EngineChoice {
    /// The engine that the user selected; `None` for auto.
    pub(crate) fn exactly(self) -> Option<EngineKind> {
        match self {
            EngineChoice::Auto => None,
            EngineChoice::Docker => Some(EngineKind::Docker),
            EngineChoice::Podman => Some(EngineKind::Podman),
            EngineChoice::Private => Some(EngineKind::Private),
            EngineChoice::Host => Some(EngineKind::Host),
            EngineChoice::Vm => Some(EngineKind::Vm),
        }
    }
}

impl From<EngineKind> for EngineChoice {
    fn from(kind: EngineKind) -> EngineChoice {
        match kind {
            EngineKind::Docker => EngineChoice::Docker,
            EngineKind::Podman => EngineChoice::Podman,
            EngineKind::Private => EngineChoice::Private,
            EngineKind::Host => EngineChoice::Host,
            EngineKind::Vm => EngineChoice::Vm,
        }
    }
}
