//! An archive of Debian packages that a build may install from.

use crate::http::Url;
use std::path::PathBuf;

/// Debian release that the ISOs are built from.
pub const SUITE: &str = "trixie";
/// Suites of the archive `debian` that a build uses.
pub const DEBIAN_SUITES: [&str; 2] = ["trixie", "trixie-updates"];
/// Suites of the archive `debian-security` that a build uses.
pub const SECURITY_SUITES: [&str; 1] = ["trixie-security"];

/// Origin of the decision for a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorOrigin {
    Snapshot,
    /// A snapshot server that serves a later state than that of the stamp.
    LaterThanStamp,
    Caller,
    HostApt,
    /// No mirror: the packages that an earlier build fetched. `pinned` is true if that one used the
    /// pinned snapshot.
    Inputs {
        pinned: bool,
    },
}

/// The archives that a build installs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub debian: String,
    /// `None` if the mirror has no security archive; the build then does without.
    pub security: Option<String>,
    pub origin: MirrorOrigin,
    /// Verifies the mirror's InRelease in place of Debian's own keyring.
    pub keyring: Option<PathBuf>,
}

/// The caller's wishes: `--mirror`, `--mirror-keyring` and `--ca-file`.
#[derive(Clone, Debug, Default)]
pub struct MirrorOptions {
    pub url: Option<String>,
    pub keyring: Option<PathBuf>,
    /// CA certificates (PEM) to trust beside this machine's.
    pub ca_file: Option<PathBuf>,
}

impl Mirror {
    pub fn pinned(&self) -> bool {
        matches!(self.origin, MirrorOrigin::Snapshot | MirrorOrigin::Inputs { pinned: true })
    }

    /// Returns true if this machine serves it on its loopback interface, which a container does not
    /// share.
    pub fn on_loopback(&self) -> bool {
        self.debian.parse::<Url>().is_ok_and(|url| url.on_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_seen() {
        let mirror = |url: &str| Mirror {
            debian: url.into(),
            security: None,
            origin: MirrorOrigin::Caller,
            keyring: None,
        };
        for url in
            ["http://127.0.0.1:80/debian", "http://localhost/debian", "http://[::1]:8/debian"]
        {
            assert!(mirror(url).on_loopback(), "{url}");
        }
        assert!(!mirror("http://127x.example/debian").on_loopback());
    }
}
