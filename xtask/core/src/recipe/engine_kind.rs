//! The engines that a build can run on.

use std::fmt;

/// An engine that a build can run on. A recipe lists the ones that can build it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// A reachable Docker Engine.
    Docker,
    /// Podman, with docker's command line.
    Podman,
    /// A throwaway dockerd that xtask starts and stops itself.
    Private,
    /// No container: this Debian host's own tools.
    Host,
    /// The builder image in a virtual machine.
    Vm,
}

impl EngineKind {
    pub const ALL: [EngineKind; 5] = [
        EngineKind::Docker,
        EngineKind::Podman,
        EngineKind::Private,
        EngineKind::Host,
        EngineKind::Vm,
    ];

    /// The name that the command line, recipe.toml and BUILD_INFO use.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Docker => "docker",
            EngineKind::Podman => "podman",
            EngineKind::Private => "private",
            EngineKind::Host => "host",
            EngineKind::Vm => "vm",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
