//! The output folder of a build, read from its records.

use super::MANIFESTS;
use super::ledger::Ledger;
use super::manifest::{self, Manifest};
use crate::deb822;
use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use crate::pins::Digest;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An output folder.
#[derive(Clone, Debug)]
pub struct Published {
    pub dir: PathBuf,
    pub info: BuildInfo,
    pub ledger: Ledger,
    /// `name version arch` lines; empty if the recipe records no packages.
    pub packages: Vec<String>,
}

/// The fields of BUILD_INFO. A value of many lines has no leading blanks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo(pub BTreeMap<String, String>);

impl Published {
    /// Reads the records in a folder.
    ///
    /// # Errors
    /// BUILD_INFO or the ledger is missing or cannot be read.
    pub fn read(dir: &Path) -> Result<Published> {
        let text = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.shown()))
        };
        let info = BuildInfo::parse(&text("BUILD_INFO").or_exit(Code::Failed)?);
        info.iso_digest()
            .with_context(|| format!("{}/BUILD_INFO has no Iso-Sha256", dir.shown()))?;
        Ok(Published {
            dir: dir.to_owned(),
            info,
            ledger: Ledger::read(&dir.join("ledger"))?,
            packages: text("packages.txt").unwrap_or_default().lines().map(str::to_owned).collect(),
        })
    }

    /// Path of the ISO.
    pub fn iso(&self) -> PathBuf {
        self.dir.join(self.info.get("Iso"))
    }

    /// The manifest of an artefact; `None` if the artefact is not a tree.
    pub fn manifest(&self, artefact: &str) -> Result<Option<Manifest>> {
        let path =
            self.dir.join(MANIFESTS).join(format!("{}.manifest", artefact.replace('/', "-")));
        if path.exists() { manifest::read(&path).map(Some) } else { Ok(None) }
    }
}

impl BuildInfo {
    /// Reads the fields. Lines that are not part of a field are left out.
    pub fn parse(text: &str) -> BuildInfo {
        let paragraphs = deb822::paragraphs(text);
        let fields = paragraphs.iter().flat_map(|paragraph| paragraph.fields());
        let value = |lines: &[&str]| lines.join("\n").trim_start_matches('\n').to_owned();
        BuildInfo(fields.map(|field| (field.name.to_owned(), value(&field.lines))).collect())
    }

    /// The value of a field; empty if there is no such field.
    pub fn get(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// Hash of the ISO.
    ///
    /// # Errors
    /// There is no valid `Iso-Sha256`.
    pub fn iso_digest(&self) -> Result<Digest> {
        format!("sha256:{}", self.get("Iso-Sha256")).parse()
    }
}

/// Finds the hash of `iso` in a SHA256SUMS, whose lines are in coreutils' format: hash, blank, blank or
/// `*`, name.
pub fn in_sums(text: &str, iso: &str) -> Option<Digest> {
    text.lines().find_map(|line| {
        let (hash, name) = line.split_once(' ')?;
        let name = name.strip_prefix([' ', '*'])?;
        (name.rsplit('/').next() == Some(iso)).then(|| format!("sha256:{hash}").parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_and_of_many_lines() {
        let info = BuildInfo::parse("Recipe: canary\nInRelease:\n a  x\n b  y\nIso: z.iso\n");
        assert_eq!(info.get("Recipe"), "canary");
        assert_eq!(info.get("InRelease"), "a  x\nb  y");
        assert_eq!(info.get("Iso"), "z.iso");
        assert_eq!(info.get("Nothing"), "");
    }

    #[test]
    fn the_line_of_the_image_is_found() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let sums = format!("{a}  other.iso\n{b} *./x.iso\n");
        assert_eq!(in_sums(&sums, "x.iso").unwrap().hex(), b);
        assert_eq!(in_sums(&sums, "y.iso"), None);
        assert_eq!(in_sums("zz  x.iso\n", "x.iso"), None);
    }
}
