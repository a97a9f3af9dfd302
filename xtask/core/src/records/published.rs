//! The output folder of a build, read from its records.

use super::MANIFESTS;
use super::ledger::Ledger;
use super::manifest::{self, Manifest};
use crate::deb822;
use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use crate::pins::Digest;
use crate::record_file::{self, plain_name};
use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
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
        let info = BuildInfo::read(&dir.join("BUILD_INFO")).or_exit(Code::Failed)?;
        info.iso_digest()
            .with_context(|| format!("{}/BUILD_INFO has no Iso-Sha256", dir.shown()))?;
        plain_name(info.get("Iso")).with_context(|| format!("{}/BUILD_INFO: Iso", dir.shown()))?;
        Ok(Published {
            dir: dir.to_owned(),
            info,
            ledger: Ledger::read(&dir.join("ledger"))?,
            packages: record_file::if_there(&dir.join("packages.txt"), record_file::text)
                .or_exit(Code::Failed)?
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Path of the ISO.
    pub fn iso(&self) -> PathBuf {
        self.dir.join(self.info.get("Iso"))
    }

    /// The manifest of an artefact; `None` if the artefact is not a tree.
    pub fn manifest(&self, artefact: &str) -> Result<Option<Manifest>> {
        record_file::if_there(&self.manifest_file(artefact), manifest::read)
    }

    /// The file of the manifest of an artefact, if the artefact is a tree. In the folder of a release it
    /// is packed.
    pub fn manifest_file(&self, artefact: &str) -> PathBuf {
        let packed = self.dir.join(packed_manifest(artefact));
        if packed.symlink_metadata().is_ok() {
            return packed;
        }
        self.dir.join(MANIFESTS).join(manifest_name(artefact))
    }
}

/// Name of the manifest of an artefact, in the folder [`MANIFESTS`].
pub fn manifest_name(artefact: &str) -> String {
    format!("{}.manifest", artefact.replace('/', "-"))
}

/// Name of the packed manifest of an artefact, in the folder of a release.
pub fn packed_manifest(artefact: &str) -> String {
    manifest_name(artefact) + manifest::PACKED
}

impl BuildInfo {
    /// Reads a BUILD_INFO.
    ///
    /// # Errors
    /// Those of [`record_file::text`] and of [`BuildInfo::parse`].
    pub fn read(path: &Path) -> Result<BuildInfo> {
        BuildInfo::parse(&record_file::text(path)?).with_context(|| path.shown().to_string())
    }

    /// Reads the fields. Lines that are not part of a field are left out.
    ///
    /// # Errors
    /// A field that stands there twice, because two readers could read two records in it; an `Iso` that
    /// is no plain file name.
    pub fn parse(text: &str) -> Result<BuildInfo> {
        let mut info = BuildInfo::default();
        let mut names = BTreeSet::new();
        for field in deb822::paragraphs(text).iter().flat_map(|paragraph| paragraph.fields()) {
            let at = || format!("line {}", field.line);
            if !names.insert(field.name.to_ascii_lowercase()) {
                bail!("{}: a second field {}", at(), field.name.shown());
            }
            let value = field.lines.join("\n").trim_start_matches('\n').to_owned();
            if field.name == "Iso" {
                plain_name(field.lines.join("\n").as_str()).with_context(|| at() + ": Iso")?;
            }
            info.0.insert(field.name.to_owned(), value);
        }
        Ok(info)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_and_of_many_lines() {
        let info =
            BuildInfo::parse("Recipe: canary\nInRelease:\n a  x\n b  y\nIso: z.iso\n").unwrap();
        assert_eq!(info.get("Recipe"), "canary");
        assert_eq!(info.get("InRelease"), "a  x\nb  y");
        assert_eq!(info.get("Iso"), "z.iso");
        assert_eq!(info.get("Nothing"), "");
    }

    #[test]
    fn a_record_that_says_two_things_is_refused() {
        for (text, line) in [
            ("Iso: a.iso\nRecipe: x\nIso: a.iso\n", 3),
            ("Iso: a.iso\n\niso: b.iso\n", 3),
            ("Iso: ../a.iso\n", 1),
            ("Iso: /a.iso\n", 1),
            ("Recipe: x\nIso:\n a.iso\n", 2),
            ("Iso: a\u{202e}.iso\n", 1),
        ] {
            let error = BuildInfo::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{text:?}: {error}");
        }
    }
}
