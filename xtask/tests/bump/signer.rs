//! An OpenPGP key in a temporary GnuPG home.

use crate::support::run;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const NAME: &str = "Archive <archive@example.org>";

/// A key. Dropping it ends its agent and removes the home.
pub struct Signer {
    pub home: PathBuf,
}

impl Signer {
    pub fn new() -> Signer {
        // a short path, because a socket's path has at most 107 bytes
        let dir = std::env::temp_dir();
        let mut make = Command::new("mktemp");
        let made = run(make.args(["-d", "-p"]).arg(&dir).arg("signer.XXXXXX")).exits(0).stdout;
        let home = PathBuf::from(made.trim());
        fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
        let signer = Signer { home };
        let mut make = signer.gpg();
        make.args(["--passphrase", "", "--quick-generate-key", NAME, "ed25519", "sign", "never"]);
        run(&mut make).exits(0);
        signer
    }

    pub fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", &self.home).args(["--batch", "--quiet", "--yes"]);
        gpg
    }

    pub fn clearsign(&self, text: &Path, signed: &Path) {
        run(self.gpg().arg("--output").arg(signed).arg("--clearsign").arg(text)).exits(0);
    }

    /// Signs with this key and with a new one that [`Signer::keyring`] has not exported.
    pub fn clearsign_twice(&self, text: &Path, signed: &Path) {
        let newer = "Newer <newer@example.org>";
        let mut make = self.gpg();
        make.args(["--passphrase", "", "--quick-generate-key", newer, "ed25519", "sign", "never"]);
        run(&mut make).exits(0);
        let mut sign = self.gpg();
        sign.args(["--local-user", NAME, "--local-user", newer, "--output"]).arg(signed);
        run(sign.arg("--clearsign").arg(text)).exits(0);
    }

    pub fn keyring(&self) -> PathBuf {
        let keyring = self.home.join("keyring.gpg");
        run(self.gpg().arg("--output").arg(&keyring).arg("--export")).exits(0);
        keyring
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        drop(end.env("GNUPGHOME", &self.home).args(["--kill", "all"]).output());
        drop(fs::remove_dir_all(&self.home));
    }
}
