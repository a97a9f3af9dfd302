//! The provenance of the pinned image: the table `pin` of its digest in builder-image.toml.

use super::labels;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::toml_file;

const TABLE: &str = "pin";

/// The inputs of one image. A value is empty if it is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) digest: String,
    /// Hash of docker/ and the pins that the image was built from.
    pub(crate) inputs: String,
    pub(crate) base: String,
    pub(crate) snapshot: String,
    /// `yes` if every package came from that snapshot.
    pub(crate) apt_pinned: String,
    /// A commit of this repository with these inputs. The image does not name it: a commit that does not touch the
    /// inputs does not change the image.
    pub(crate) commit: String,
}

impl Provenance {
    /// Reads the provenance from the image's labels.
    pub(crate) fn of(
        digest: &Digest,
        labels: &BTreeMap<String, String>,
        commit: String,
    ) -> Provenance {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Provenance {
            digest: digest.to_string(),
            inputs: label(labels::INPUTS),
            base: label(labels::BASE),
            snapshot: label(labels::SNAPSHOT),
            apt_pinned: label(labels::APT_PINNED),
            commit,
        }
    }

    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("digest", &self.digest),
            ("inputs", &self.inputs),
            ("base", &self.base),
            ("snapshot", &self.snapshot),
            ("apt-pinned", &self.apt_pinned),
            ("commit", &self.commit),
        ]
    }

    fn from(table: &Table) -> Provenance {
        let value = |name: &str| table.get(name).and_then(Item::as_str).unwrap_or_default();
        Provenance {
            digest: value("digest").to_owned(),
            inputs: value("inputs").to_owned(),
            base: value("base").to_owned(),
            snapshot: value("snapshot").to_owned(),
            apt_pinned: value("apt-pinned").to_owned(),
            commit: value("commit").to_owned(),
        }
    }

    /// Reads the entry of `digest`; `None` if there is none.
    pub(crate) fn read(path: &Path, digest: &str) -> Result<Option<Provenance>> {
        let text = record_file::text(path)?;
        let mut document = toml_file::parsed(&text, path)?;
        let entries = entries(&mut document, path)?.iter().map(Provenance::from);
        Ok(entries.into_iter().find(|entry| entry.digest == digest))
    }

    /// Returns `text` with this as its only entry, except that of the digest `keep`. Comments and all other
    /// text stay.
    pub(crate) fn written_to(&self, text: &str, path: &Path, keep: Option<&str>) -> Result<String> {
        let mut document = toml_file::parsed(text, path)?;
        let entries = entries(&mut document, path)?;
        let old =
            entries.iter().find(|table| Some(Provenance::from(table).digest.as_str()) == keep);
        let old = old.filter(|table| Provenance::from(table).digest != self.digest).cloned();
        // a copy of a table has the comments of its keys, too
        let own = entries.iter().find(|table| Provenance::from(table).digest == self.digest);
        let mut new = own.or(entries.iter().next()).cloned().unwrap_or_default();
        for (name, text) in self.fields() {
            toml_file::set(&mut new, name, text);
        }
        entries.clear();
        for table in old.into_iter().chain([new]) {
            entries.push(table);
        }
        Ok(document.to_string())
    }
}

fn entries<'a>(document: &'a mut DocumentMut, path: &Path) -> Result<&'a mut ArrayOfTables> {
    let item = document.entry(TABLE).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut()
        .with_context(|| {
            format!("{}: expected [[{TABLE}]], one table for each image", path.shown())
        })
        .or_exit(Code::NotReady)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_other_tables_stay() {
        let text = "# top\n[base]\nx = 1 # one\n\n# about it\n[[pin]]\n# above\ndigest = \"\"   # sha256\ninputs = \"old\" # hash\n";
        let path = Path::new("x");
        let provenance = |digest: &str| Provenance {
            digest: digest.into(),
            inputs: format!("{digest}-inputs"),
            commit: "c".into(),
            ..Provenance::default()
        };
        let alone = provenance("d").written_to(text, path, None).unwrap();
        for kept in [
            "# top\n",
            "x = 1 # one\n\n# about it\n[[pin]]\n",
            "# above\ndigest = \"d\"   # sha256\n",
            "inputs = \"d-inputs\" # hash\n",
            "commit = \"c\"\n",
        ] {
            assert!(alone.contains(kept), "{kept} is not in\n{alone}");
        }
        assert_eq!(provenance("d").written_to(&alone, path, None).unwrap(), alone);
        assert_eq!(provenance("d").written_to(&alone, path, Some("d")).unwrap(), alone);
        // a bump: first both entries, then only the new one
        let both = provenance("e").written_to(&alone, path, Some("d")).unwrap();
        assert!(both.contains("digest = \"d\"") && both.contains("digest = \"e\""), "{both}");
        let next = provenance("e").written_to(&both, path, None).unwrap();
        assert_eq!(next, alone.replace("\"d", "\"e"));
    }

    #[test]
    fn invalid_toml_is_an_error_that_names_the_file() {
        let error =
            Provenance::default().written_to("[pin", Path::new("a/b.toml"), None).unwrap_err();
        assert!(error.to_string().contains("a/b.toml is not TOML"), "{error}");
        assert_eq!(Code::of(&error), Code::NotReady);
    }
}
