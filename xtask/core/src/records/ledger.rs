//! The ledger: the hashes of all artefacts, in the order of the stages that left them.
//!
//! The first difference between the ledgers of two builds shows the stage that made them differ.

use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use crate::pins::Digest;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::path::Path;

/// A file that a stage left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    pub stage: String,
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Path in out/.
    pub path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(pub Vec<Artefact>);

impl Ledger {
    /// One line an artefact: `STAGE SHA-256 BYTES PATH`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for a in &self.0 {
            // writing to a String cannot fail
            let _ = writeln!(text, "{} {} {} {}", a.stage, a.digest.hex(), a.size, a.path);
        }
        text
    }

    /// Reads a ledger file.
    ///
    /// # Errors
    /// The first line that is not `STAGE SHA-256 BYTES PATH`, with its number.
    pub fn read(path: &Path) -> Result<Ledger> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.shown()))
            .or_exit(Code::Failed)?;
        let parse = |(n, line): (usize, &str)| {
            artefact(line).with_context(|| {
                format!(
                    "{}:{}: expected `STAGE SHA-256 BYTES PATH`, found `{line}`",
                    path.shown(),
                    n + 1
                )
            })
        };
        Ok(Ledger(text.lines().enumerate().map(parse).collect::<Result<_>>()?))
    }
}

fn artefact(line: &str) -> Option<Artefact> {
    let mut words = line.splitn(4, ' ');
    Some(Artefact {
        stage: words.next()?.to_owned(),
        digest: format!("sha256:{}", words.next()?).parse().ok()?,
        size: words.next()?.parse().ok()?,
        path: words.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_ledger_can_be_read() {
        let ledger = Ledger(vec![Artefact {
            stage: "rootfs".into(),
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            size: 7,
            path: "a file with blanks.tar".into(),
        }]);
        let path = std::env::temp_dir().join(format!("xtask-ledger-{}", std::process::id()));
        std::fs::write(&path, ledger.to_text()).unwrap();
        assert_eq!(Ledger::read(&path).unwrap(), ledger);
        std::fs::write(&path, "rootfs zz 7 x\n").unwrap();
        assert!(Ledger::read(&path).unwrap_err().to_string().contains(":1: expected"));
        std::fs::remove_file(path).unwrap();
    }
}
