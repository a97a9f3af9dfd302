//! The ledger: the hashes of all artefacts, in the order of the stages that left them.
//!
//! The first difference between the ledgers of two builds shows the stage that made them differ.

use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use crate::pins::Digest;
use crate::record_file::{self, plain_name};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// A file that a stage left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    pub stage: String,
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Path in out/: plain names, joined by `/`.
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
        Ledger::parse(&record_file::text(path).or_exit(Code::Failed)?, path)
    }

    /// Reads the text of a ledger; `path` is its name in errors.
    ///
    /// # Errors
    /// Those of [`Ledger::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Ledger> {
        let parse = |(n, line): (usize, &str)| {
            artefact(line).with_context(|| {
                format!(
                    "{}:{}: expected `STAGE SHA-256 BYTES PATH`, found `{}`",
                    path.shown(),
                    n + 1,
                    line.shown()
                )
            })
        };
        let artefacts: Vec<Artefact> =
            text.lines().enumerate().map(parse).collect::<Result<_>>()?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = artefacts.iter().find(|x| !seen.insert((&x.stage, &x.path))) {
            let (stage, file) = (twice.stage.shown(), twice.path.shown());
            bail!("{}: stage {stage} has two lines of {file}: expected one", path.shown());
        }
        Ok(Ledger(artefacts))
    }
}

fn artefact(line: &str) -> Option<Artefact> {
    let mut words = line.splitn(4, ' ');
    let artefact = Artefact {
        stage: words.next()?.to_owned(),
        digest: format!("sha256:{}", words.next()?).parse().ok()?,
        size: words.next()?.parse().ok()?,
        path: words.next()?.to_owned(),
    };
    artefact.path.split('/').all(|part| plain_name(part).is_ok()).then_some(artefact)
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
        let hash = "a".repeat(64);
        for bad in ["zz 7 x", "H 7 ../x", "H 7 /x", "H 7 a//b", "H 7 a/./b", "H 7 \x1b", "H x x"] {
            std::fs::write(&path, format!("rootfs {}\n", bad.replace('H', &hash))).unwrap();
            let error = Ledger::read(&path).unwrap_err().to_string();
            assert!(error.contains(":1: expected"), "{bad}: {error}");
        }
        let other = "b".repeat(64);
        std::fs::write(&path, format!("s {hash} 7 x\nt {hash} 7 x\ns {other} 7 x\n")).unwrap();
        let error = Ledger::read(&path).unwrap_err().to_string();
        assert!(error.contains("stage s has two lines of x"), "{error}");
        std::fs::remove_file(path).unwrap();
    }
}
