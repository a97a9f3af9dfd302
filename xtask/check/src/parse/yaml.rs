//! YAML 1.2 with positions, on top of saphyr's event parser.
//!
//! The tree is built from the parser's events under limits, so that nested aliases ("billion laughs")
//! or deep nesting cannot fill the memory.

use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// Nodes in one file, with aliases expanded. The largest file here has a few hundred.
const MAX_NODES: usize = 10_000;
const MAX_DEPTH: usize = 60;

/// A value and its start. Line and column count from 1.
#[derive(Clone, Debug)]
pub(crate) struct YamlNode {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<YamlNode>),
    Map(Vec<(YamlNode, YamlNode)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// The lines of a folded text (`>`) as they stand in the file.
    pub(crate) unfolded: Option<String>,
    /// True without quotes: then `true`, `3` and `null` are no strings.
    pub(crate) plain: bool,
}

/// An error in a YAML file, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

impl YamlNode {
    pub(crate) fn at(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// True for an empty value or an explicit null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(s) if s.plain && matches!(s.text.as_str(), "" | "~" | "null"))
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(&self.value, Value::Scalar(s) if s.plain && s.text.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn entries(&self) -> &[(YamlNode, YamlNode)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&YamlNode> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value. A finding may point at the key.
    pub(crate) fn entry(&self, key: &str) -> Option<&(YamlNode, YamlNode)> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key))
    }

    pub(crate) fn path(&self, keys: &[&str]) -> Option<&YamlNode> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The items of a list, or a single value as one item: `needs: a` is `needs: [a]`.
    pub(crate) fn items(&self) -> Vec<&YamlNode> {
        match &self.value {
            Value::List(items) => items.iter().collect(),
            Value::Scalar(_) if !self.is_null() => vec![self],
            _ => Vec::new(),
        }
    }

    /// The text with the file's own line breaks, even in a folded scalar.
    pub(crate) fn unfolded(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar.unfolded.as_deref().unwrap_or(&scalar.text)),
            _ => None,
        }
    }

    /// Visits this node and every node below it, with the keys that lead there.
    pub(crate) fn walk<'a>(
        &'a self,
        keys: &mut Vec<&'a str>,
        visit: &mut dyn FnMut(&[&'a str], &'a YamlNode),
    ) {
        visit(keys, self);
        match &self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| item.walk(keys, visit)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    keys.push(key.text().unwrap_or_default());
                    value.walk(keys, visit);
                    keys.pop();
                }
            }
        }
    }
}

/// Reads one document. Duplicate keys and a second document are errors.
pub(crate) fn parse(text: &str) -> Result<YamlNode, YamlError> {
    let mut builder = Builder { lines: text.lines().collect(), ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            what: error.info().to_owned(),
        })?;
        let (line, column) = (span.start.line(), span.start.col() + 1);
        builder.take(event, line, column).map_err(|what| YamlError { line, column, what })?;
    }
    builder.root.ok_or_else(|| YamlError {
        line: 1,
        column: 1,
        what: "the file holds no value".into(),
    })
}

#[derive(Default)]
struct Builder<'t> {
    lines: Vec<&'t str>,
    /// Open collections: anchor, node, and a key whose value comes next.
    open: Vec<(usize, YamlNode, Option<YamlNode>)>,
    anchors: HashMap<usize, (YamlNode, usize)>,
    nodes: usize,
    root: Option<YamlNode>,
}

impl Builder<'_> {
    /// The lines of a folded block, up to a line with less indentation.
    fn lines_from(&self, line: usize, column: usize) -> String {
        let rest = self.lines.get(line - 1..).unwrap_or_default().iter();
        let indent = |line: &str| line.len() - line.trim_start().len();
        let inside = rest.take_while(|l| l.trim().is_empty() || indent(l) + 1 >= column);
        inside.copied().collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, event: Event<'_>, line: usize, column: usize) -> Result<(), String> {
        let node = |value| YamlNode { line, column, value };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                // the parser gives the position of the first word; blank lines before it belong to the text
                let blank = match style {
                    ScalarStyle::Literal => text.len() - text.trim_start_matches('\n').len(),
                    _ => 0,
                };
                let scalar = Scalar {
                    text: text.into_owned(),
                    unfolded: (style == ScalarStyle::Folded).then(|| self.lines_from(line, column)),
                    plain: style == ScalarStyle::Plain,
                };
                let line = line - blank.min(line - 1);
                self.finish(anchor, YamlNode { line, column, value: Value::Scalar(scalar) }, 1)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, node(Value::List(Vec::new()))),
            Event::MappingStart(anchor, _) => self.begin(anchor, node(Value::Map(Vec::new()))),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((anchor, node, _)) = self.open.pop() else { return Ok(()) };
                self.finish(anchor, node, 1)
            }
            Event::Alias(anchor) => {
                let Some((target, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err("an alias to what contains it".into());
                };
                self.finish(0, YamlNode { line, column, ..target }, size)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, node: YamlNode) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} deep"));
        }
        self.open.push((anchor, node, None));
        Ok(())
    }

    fn finish(&mut self, anchor: usize, node: YamlNode, size: usize) -> Result<(), String> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(format!("unfolds to more than {MAX_NODES} values: an alias of an alias?"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), count(&node)));
        }
        let Some((_, parent, waiting)) = self.open.last_mut() else {
            if self.root.is_some() {
                return Err("a second document: expected one a file".into());
            }
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.value, waiting.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => {
                if let Some(text) = key.text()
                    && let Some((first, _)) = entries.iter().find(|(k, _)| k.text() == Some(text))
                {
                    return Err(format!(
                        "the key `{text}` (line {}) is here a second time: line {}",
                        key.line, first.line
                    ));
                }
                entries.push((key, node));
            }
            (Value::Map(_), None) => *waiting = Some(node),
            (Value::Scalar(_), _) => {}
        }
        Ok(())
    }
}

fn count(node: &YamlNode) -> usize {
    match &node.value {
        Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(k, v)| count(k) + count(v)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let text =
            "a:\n  - b: 'x'\n    c: |\n\n      one\n    d: >-\n      --x\n      --y\n  - e: 1\n";
        let root = parse(text).unwrap();
        let item = root.get("a").unwrap().items()[0];
        assert_eq!(item.get("b").unwrap().at(), (2, 8));
        let c = item.get("c").unwrap();
        assert_eq!((c.text(), c.line), (Some("\none\n"), 4));
        let d = item.get("d").unwrap();
        assert_eq!((d.text(), d.line), (Some("--x --y"), 7));
        assert_eq!(d.unfolded(), Some("      --x\n      --y"));
    }

    #[test]
    fn a_broken_file_says_where() {
        let error = parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert_eq!(error.line, 2, "{error:?}");
        let twice = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(twice.line, 3);
        assert!(twice.what.contains("second time"), "{twice:?}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, last) in ('b'..='j').zip('a'..) {
            bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{last}"); 10].join(", "));
        }
        assert!(parse(&bomb).unwrap_err().what.contains("unfolds"));
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"- ".repeat(100_000)).is_err());
        assert!(parse("a: &a [*a]").is_err());
    }

    #[test]
    fn nothing_and_two_documents_are_faults() {
        for text in ["", "# only a comment\n", "a: 1\n---\nb: 2\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
