//! What the pinned image was built from: the table `pin` of builder-image.toml.

use crate::image::labels;
use anyhow::{Context as _, Result};
use base::failure::{Code, OrExit as _};
use base::pins::Digest;
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, Value};

const TABLE: &str = "pin";

/// Empty values mean that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) digest: String,
    /// Hash of docker/ and the pins that the image was built from.
    pub(crate) inputs: String,
    pub(crate) base: String,
    pub(crate) snapshot: String,
    /// `yes` if every package came from that snapshot.
    pub(crate) apt_pinned: String,
    pub(crate) commit: String,
}

impl Provenance {
    /// As the image's own labels say.
    pub(crate) fn of(digest: &Digest, labels: &BTreeMap<String, String>) -> Provenance {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Provenance {
            digest: digest.to_string(),
            inputs: label(labels::INPUTS),
            base: label(labels::BASE),
            snapshot: label(labels::SNAPSHOT),
            apt_pinned: label(labels::APT_PINNED),
            commit: label(labels::REVISION),
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

    pub(crate) fn read(path: &Path) -> Result<Provenance> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let document = parsed(&text, path)?;
        let value = |name: &str| {
            let item = document.get(TABLE).and_then(|table| table.get(name));
            item.and_then(Item::as_str).unwrap_or_default().to_owned()
        };
        Ok(Provenance {
            digest: value("digest"),
            inputs: value("inputs"),
            base: value("base"),
            snapshot: value("snapshot"),
            apt_pinned: value("apt-pinned"),
            commit: value("commit"),
        })
    }

    /// `text` with this in its table; comments and everything else stay.
    pub(crate) fn written_to(&self, text: &str, path: &Path) -> Result<String> {
        let mut document = parsed(text, path)?;
        let table = document.entry(TABLE).or_insert_with(|| Item::Table(Table::new()));
        let table = table
            .as_table_mut()
            .with_context(|| format!("{}: expected [{TABLE}] to be a table", path.display()))
            .or_exit(Code::NotReady)?;
        for (name, text) in self.fields() {
            let mut value = Value::from(text);
            match table.get_mut(name) {
                Some(item) => {
                    // the line's comment belongs to the old value
                    if let Some(old) = item.as_value() {
                        *value.decor_mut() = old.decor().clone();
                    }
                    *item = Item::Value(value);
                }
                None => drop(table.insert(name, Item::Value(value))),
            }
        }
        Ok(document.to_string())
    }
}

fn parsed(text: &str, path: &Path) -> Result<DocumentMut> {
    text.parse::<DocumentMut>()
        .with_context(|| format!("{} is not TOML", path.display()))
        .or_exit(Code::NotReady)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_other_tables_stay() {
        let text = "# top\n[base]\nx = 1 # one\n\n[pin]\n# above\ndigest = \"\"   # sha256\ninputs = \"old\" # hash\n";
        let provenance = Provenance {
            digest: "sha256:d".into(),
            inputs: "sha256:i".into(),
            commit: "c".into(),
            ..Provenance::default()
        };
        let written = provenance.written_to(text, Path::new("x")).unwrap();
        for kept in [
            "# top\n",
            "x = 1 # one\n",
            "# above\n",
            "digest = \"sha256:d\"   # sha256\n",
            "inputs = \"sha256:i\" # hash\n",
            "commit = \"c\"\n",
        ] {
            assert!(written.contains(kept), "{kept} is not in\n{written}");
        }
        assert_eq!(provenance.written_to(&written, Path::new("x")).unwrap(), written);
    }

    #[test]
    fn what_is_no_toml_is_named() {
        let error = Provenance::default().written_to("[pin", Path::new("a/b.toml")).unwrap_err();
        assert!(error.to_string().contains("a/b.toml is not TOML"), "{error}");
        assert_eq!(Code::of(&error), Code::NotReady);
    }
}
