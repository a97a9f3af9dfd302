//! The `.env` files in linux/build/config: `KEY=value` lines and `#` comments, nothing else.

use crate::escape::Shown as _;
use crate::failure::{Fault, unreadable};
use crate::record_file;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a file whose keys are in `known`.
///
/// # Errors
/// All faults with their lines, unknown keys among them.
pub fn read(path: &Path, known: &[&str]) -> Result<BTreeMap<String, String>> {
    let text = record_file::text(path)?;
    parse(&text, known).map_err(|faults| unreadable(path, &faults))
}

/// The values, or all faults with their lines.
pub fn parse(text: &str, known: &[&str]) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for (n, line) in text.split('\n').enumerate() {
        let mut fault = |what: String| faults.push((n + 1, what));
        if line.ends_with('\r') {
            fault("CRLF line ending: expected LF".into());
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.ends_with([' ', '\t']) {
            fault("trailing blank".into());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            fault(format!("`{}`: expected KEY=value or a # comment", line.shown()));
            continue;
        };
        if !known.contains(&key) {
            fault(format!("unknown key `{}`: expected {}", key.shown(), known.join(" or ")));
        } else if value.is_empty() || value.contains(['"', '\'', '$', '`', ' ', '\t', '\\']) {
            fault(format!("`{key}`: expected a plain value, without quotes, blanks or `$`"));
        } else if values.insert(key.to_owned(), value.to_owned()).is_some() {
            fault(format!("`{key}` is set a second time"));
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// Line, key and value of every line that looks like a setting, also in a file with faults.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().enumerate().filter_map(|(n, line)| {
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some((n + 1, key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_values() {
        let values = parse("# why\n\nA=1\nB=http://h/x=y\n", &["A", "B"]).unwrap();
        assert_eq!(values["B"], "http://h/x=y");
    }

    #[test]
    fn all_faults_at_once_with_their_lines() {
        let faults = parse("A=1\r\nA=1\nA=2\nC=3\nB= x\nB=x \nnope\nB=", &["A", "B"]).unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8], "{faults:?}");
    }
}
