//! docs/json.md against the objects that commands print.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Keys of each format on the page, with their types.
pub type Page = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the tables of docs/json.md.
pub fn page() -> Page {
    let mut page = Page::new();
    let mut format = String::new();
    for line in include_str!("../../../docs/json.md").lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            format = heading.to_owned();
            page.insert(format.clone(), BTreeMap::from([("format".into(), "text".into())]));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", key, kind, _, ""] = cells[..]
            && let Some(key) = key.strip_prefix('`').and_then(|key| key.strip_suffix('`'))
        {
            page.get_mut(&format).unwrap().insert(key.to_owned(), kind.to_owned());
        }
    }
    page
}

/// Fails if `stdout` is an object of ours with a key, or a type of a value, that the page does not have.
#[track_caller]
pub fn check(stdout: &str) {
    let Ok(value) = serde_json::from_str::<Value>(stdout) else { return };
    let Some(format) = value["format"].as_str() else { return };
    let page = page();
    let keys = page.get(format).unwrap_or_else(|| panic!("docs/json.md lacks {format}"));
    for (key, kind) in leaves(&value) {
        assert!(
            keys.iter().any(|(listed, kinds)| covers(listed, kinds, &key, kind)),
            "docs/json.md, {format}: no key `{key}` that may be {kind}"
        );
    }
}

/// Keys of all values that are neither objects nor lists, with their types. `[]` stands for an
/// element of a list.
pub fn leaves(value: &Value) -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    collect(value, String::new(), &mut found);
    found
}

fn collect(value: &Value, key: String, found: &mut BTreeSet<(String, &'static str)>) {
    let kind = match value {
        Value::Object(fields) if !fields.is_empty() => {
            let before = if key.is_empty() { key } else { format!("{key}.") };
            for (name, value) in fields {
                collect(value, format!("{before}{name}"), found);
            }
            return;
        }
        Value::Array(elements) if !elements.is_empty() => {
            for element in elements {
                collect(element, format!("{key}[]"), found);
            }
            return;
        }
        Value::Object(_) | Value::Array(_) | Value::Null => "null",
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "true or false",
    };
    found.insert((key, kind));
}

/// Returns true if a row of the page stands for a key. An object or a list may be missing or empty.
fn covers(listed: &str, kinds: &str, key: &str, kind: &str) -> bool {
    let below = |above: &str| key.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'));
    listed.strip_suffix(".*").is_some_and(below)
        || (listed == key && kinds.contains(kind))
        || (kind == "null"
            && listed.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '['])))
}
