//! TOML files: edits that keep the comments, and lines of values.

use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use anyhow::{Context as _, Result};
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, Value};

/// Parses `text`; an error names `path`.
pub fn parsed(text: &str, path: &Path) -> Result<DocumentMut> {
    text.parse::<DocumentMut>()
        .with_context(|| format!("{} is not TOML", path.shown()))
        .or_exit(Code::NotReady)
}

/// Returns the line of the byte at `offset`, counted from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Sets the key `name` to `text` and keeps the comments around the old value.
pub fn set(table: &mut Table, name: &str, text: &str) {
    let mut value = Value::from(text);
    match table.get_mut(name) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => drop(table.insert(name, Item::Value(value))),
    }
}
