//! The record of which upstream files our entrypoint was reviewed against.

use super::edit::FileEdit;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::toml_file;

/// The table `[reviewed]` of builder-image.toml.
pub(super) struct Reviewed {
    pub(super) commit: String,
    tag: String,
    /// Blob ids by path.
    pub(super) blobs: BTreeMap<String, String>,
}

impl Reviewed {
    pub(super) fn read(record: &FileEdit) -> Result<Reviewed> {
        let document = toml_file::parsed(record.before(), record.path())?;
        let text = |name: &str| {
            let item = document.get("reviewed").and_then(|table| table.get(name));
            item.and_then(|item| item.as_str()).unwrap_or_default().to_owned()
        };
        let blobs = document
            .get("reviewed")
            .and_then(|table| table.get("blobs"))
            .and_then(|t| t.as_table());
        let blobs = blobs.into_iter().flat_map(|table| table.iter());
        let blobs = blobs.filter_map(|(path, id)| Some((path.to_owned(), id.as_str()?.to_owned())));
        let reviewed =
            Reviewed { commit: text("commit"), tag: text("tag"), blobs: blobs.collect() };
        if reviewed.commit.is_empty() || reviewed.blobs.is_empty() {
            return Err(Code::NotReady.error(format!(
                "{}: expected a table [reviewed] with `commit` and `blobs`",
                record.path().shown()
            )));
        }
        Ok(reviewed)
    }

    /// Writes the new revision into the record, and into the table of the entrypoint's README.
    pub(super) fn rewrite(
        &self,
        record: &mut FileEdit,
        readme: &mut FileEdit,
        commit: &str,
        tag: &str,
        now: &BTreeMap<String, String>,
        added: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut document = toml_file::parsed(record.before(), record.path())?;
        let reviewed = document["reviewed"].as_table_mut().context("expected [reviewed]")?;
        for (name, text) in [("commit", commit), ("tag", tag)] {
            toml_file::set(reviewed, name, text);
        }
        let blobs = reviewed["blobs"].as_table_mut().context("expected [reviewed.blobs]")?;
        for path in self.blobs.keys() {
            match now.get(path) {
                Some(id) => toml_file::set(blobs, path, id),
                None => drop(blobs.remove(path)),
            }
        }
        for (path, id) in added {
            toml_file::set(blobs, path, id);
        }
        record.after = document.to_string();

        let named = |commit: &str, tag: &str| {
            if tag.is_empty() {
                format!("derivative-maker {commit}")
            } else {
                format!("derivative-maker {commit} (tag {tag})")
            }
        };
        let mut text =
            readme.before().replacen(&named(&self.commit, &self.tag), &named(commit, tag), 1);
        for (path, old) in &self.blobs {
            let row = |id: &str| format!("| {path} | {id} |\n");
            let new = now.get(path).map(|id| row(id)).unwrap_or_default();
            text = text.replacen(&row(old), &new, 1);
        }
        let last = self
            .blobs
            .iter()
            .rev()
            .find_map(|(path, _)| Some(format!("| {path} | {} |\n", now.get(path)?)));
        if let Some(last) = last {
            let rows: String =
                added.iter().map(|(path, id)| format!("| {path} | {id} |\n")).collect();
            text = text.replacen(&last, &format!("{last}{rows}"), 1);
        }
        if commit != self.commit && text == readme.before() {
            return Err(Code::NotReady.error(format!(
                "{}: expected the text `{}`",
                readme.path().shown(),
                named(&self.commit, &self.tag)
            )));
        }
        readme.after = text;
        Ok(())
    }
}
