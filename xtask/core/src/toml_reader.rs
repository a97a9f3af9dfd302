//! A TOML file of ours, read value by value: all faults at once, each with its line.

use crate::escape::Shown as _;
use crate::failure::Fault;
use crate::toml_file::line_of;
use toml_edit::{Document, Item, TableLike};

/// Reads values and collects faults instead of stopping at the first one.
pub(crate) struct TomlReader<'a> {
    text: &'a str,
    pub(crate) faults: Vec<Fault>,
}

/// A table, and the line where a missing key is reported: the one of its header.
#[derive(Clone, Copy)]
pub(crate) struct TomlSection<'a> {
    pub(crate) table: &'a dyn TableLike,
    pub(crate) line: usize,
}

impl<'a> TomlReader<'a> {
    /// Reads `text` with `read`, or returns all faults in the order of their lines.
    pub(crate) fn whole<T>(
        text: &'a str,
        read: impl FnOnce(&mut TomlReader<'a>, TomlSection<'_>) -> T,
    ) -> Result<T, Vec<Fault>> {
        let document: Document<&str> = Document::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            vec![(line, error.message().to_owned())]
        })?;
        let mut reader = TomlReader { text, faults: Vec::new() };
        let value = read(&mut reader, TomlSection { table: document.as_table(), line: 1 });
        reader.faults.sort_by_key(|(line, _)| *line);
        if reader.faults.is_empty() { Ok(value) } else { Err(reader.faults) }
    }

    pub(crate) fn line(&self, span: Option<std::ops::Range<usize>>, otherwise: usize) -> usize {
        span.map_or(otherwise, |span| line_of(self.text, span.start))
    }

    pub(crate) fn section<'t>(
        &mut self,
        parent: TomlSection<'t>,
        key: &str,
    ) -> Option<TomlSection<'t>> {
        let item = parent.table.get(key);
        let line = self.line(item.and_then(Item::span), parent.line);
        let table = item.and_then(Item::as_table_like);
        if table.is_none() {
            self.faults.push((line, format!("expected a table [{key}]")));
        }
        Some(TomlSection { table: table?, line })
    }

    /// Reports every key that is not one of `keys`.
    pub(crate) fn known(&mut self, section: TomlSection<'_>, keys: &[&str]) {
        for (key, item) in section.table.iter().filter(|(key, _)| !keys.contains(key)) {
            let line = self.line(item.span(), section.line);
            self.faults.push((
                line,
                format!("unknown key `{}`: expected {}", key.shown(), keys.join(", ")),
            ));
        }
    }

    /// The value that `get` finds, or a fault that says `kind` was expected.
    pub(crate) fn read<T: Default>(
        &mut self,
        section: TomlSection<'_>,
        key: &str,
        kind: &str,
        get: impl Fn(&Item) -> Option<T>,
    ) -> T {
        let item = section.table.get(key);
        item.and_then(get).unwrap_or_else(|| {
            let line = self.line(item.and_then(Item::span), section.line);
            self.faults.push((line, format!("`{key}`: expected {kind}")));
            T::default()
        })
    }

    /// A key that may be missing.
    pub(crate) fn optional<T: Default>(
        &mut self,
        section: TomlSection<'_>,
        key: &str,
        read: impl Fn(&mut Self, TomlSection<'_>, &str) -> T,
    ) -> T {
        if section.table.contains_key(key) { read(self, section, key) } else { T::default() }
    }

    pub(crate) fn string(&mut self, section: TomlSection<'_>, key: &str) -> String {
        let full = |item: &Item| item.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        self.read(section, key, "a string", full)
    }

    pub(crate) fn file_name(&mut self, section: TomlSection<'_>, key: &str) -> String {
        let name = self.string(section, key);
        if name.contains('/') || name.starts_with('.') {
            let line = self.line(section.table.get(key).and_then(Item::span), section.line);
            let what = format!("`{key}` is a file name, without folders: found `{}`", name.shown());
            self.faults.push((line, what));
        }
        name
    }

    pub(crate) fn boolean(&mut self, section: TomlSection<'_>, key: &str) -> bool {
        self.read(section, key, "true or false", Item::as_bool)
    }

    pub(crate) fn strings(&mut self, section: TomlSection<'_>, key: &str) -> Vec<String> {
        self.read(section, key, "a list of strings", |item| {
            item.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        })
    }
}
