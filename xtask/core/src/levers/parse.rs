//! The text of a levers.toml.

use super::anchor::{Anchor, Lever, Levers, Must};
use crate::failure::Fault;
use crate::toml_reader::{TomlReader, TomlSection};
use toml_edit::Item;

/// Keys that say what must stand at a place. `lines` alone, `word` with `lines`, or one of the others.
const MUST: &str = "expected one of `lines`, `word` with `lines`, `without`, `entries`, `programs`";

pub(super) fn levers(text: &str) -> Result<Levers, Vec<Fault>> {
    TomlReader::whole(text, |reader, root| {
        reader.known(root, &["layouts", "never_built", "lever"]);
        let levers = Levers {
            layouts: reader.optional(root, "layouts", TomlReader::strings),
            never_built: reader.optional(root, "never_built", TomlReader::strings),
            levers: reader.tables(root, "lever", TomlReader::lever),
        };
        let named = levers.anchors().filter_map(|(_, anchor)| {
            anchor.layout.as_ref().map(|name| (anchor.line, "layout", name))
        });
        let never_built = levers.never_built.iter().map(|name| (root.line, "never_built", name));
        let unknown = never_built.chain(named).filter(|(.., name)| !levers.layouts.contains(name));
        let there_are = levers.layouts.join(" and ");
        let unknown: Vec<Fault> = unknown
            .map(|(line, key, name)| {
                let what = format!("`{key}`: expected one of `layouts`, which are {there_are}");
                (line, format!("{what}; found `{name}`"))
            })
            .collect();
        reader.faults.extend(unknown);
        levers
    })
}

impl TomlReader<'_> {
    fn tables<T>(
        &mut self,
        parent: TomlSection<'_>,
        key: &str,
        read: impl Fn(&mut Self, TomlSection<'_>) -> T,
    ) -> Vec<T> {
        let Some(tables) = parent.table.get(key).and_then(Item::as_array_of_tables) else {
            self.faults.push((parent.line, format!("expected at least one [[{key}]]")));
            return Vec::new();
        };
        let mut found = Vec::new();
        for table in tables {
            let line = self.line(table.span(), parent.line);
            found.push(read(self, TomlSection { table, line }));
        }
        found
    }

    fn lever(&mut self, lever: TomlSection<'_>) -> Lever {
        self.known(lever, &["name", "what", "anchor"]);
        Lever {
            name: self.string(lever, "name"),
            what: self.string(lever, "what"),
            anchors: self.tables(lever, "anchor", Self::anchor),
        }
    }

    fn anchor(&mut self, anchor: TomlSection<'_>) -> Anchor {
        self.known(
            anchor,
            &[
                "path",
                "layout",
                "lines",
                "word",
                "without",
                "entries",
                "programs",
                "except",
                "held_at",
                "submodule_at",
            ],
        );
        let commit = self.optional(anchor, "submodule_at", Self::string);
        let layout = self.optional(anchor, "layout", Self::string);
        Anchor {
            path: self.string(anchor, "path"),
            must: self.must(anchor),
            layout: (!layout.is_empty()).then_some(layout),
            held_at: self.strings(anchor, "held_at"),
            submodule_at: (!commit.is_empty()).then_some(commit),
            line: anchor.line,
        }
    }

    fn must(&mut self, anchor: TomlSection<'_>) -> Must {
        let has = |key: &str| anchor.table.contains_key(key);
        let given = ["lines", "without", "entries", "programs"].iter().filter(|key| has(key));
        if given.count() != 1 || has("word") && !has("lines") || has("except") && !has("programs") {
            self.faults.push((anchor.line, MUST.to_owned()));
            return Must::HaveContent { except: Vec::new() };
        }
        if has("without") {
            return Must::Lack(self.string(anchor, "without"));
        }
        if has("entries") {
            return Must::List(self.strings(anchor, "entries"));
        }
        if has("programs") {
            self.read(anchor, "programs", "\"not empty\"", |item| {
                (item.as_str()? == "not empty").then_some(())
            });
            return Must::HaveContent { except: self.optional(anchor, "except", Self::strings) };
        }
        let lines = self.strings(anchor, "lines");
        if has("word") {
            return Must::MentionOnly { word: self.string(anchor, "word"), lines };
        }
        if lines.is_empty() {
            self.faults.push((anchor.line, "`lines`: expected at least one".to_owned()));
        }
        Must::HaveInOrder(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let text = "\
layouts = [\"1\", \"2\"]
never_built = [\"4\"]
[[lever]]
name = \"a\"
[[lever.anchor]]
path = \"x\"
held_at = []
lines = [\"y\"]
without = \"z\"
[[lever.anchor]]
path = \"x\"
word = \"y\"
held_at = [\"1\"]
[[lever.anchor]]
path = \"x\"
programs = true
lines = []
[[lever]]
name = \"b\"
what = \"c\"
color = 1
[[lever.anchor]]
path = \"x\"
layout = \"3\"
programs = \"not empty\"
held_at = [\"1\"]
";
        let faults = levers(text).unwrap_err();
        let shown: String =
            faults.iter().map(|(line, what)| format!(":{line}: {what}\n")).collect();
        let expected = format!(
            "\
:1: `never_built`: expected one of `layouts`, which are 1 and 2; found `4`
:3: `what`: expected a string
:5: {MUST}
:10: {MUST}
:14: {MUST}
:14: `held_at`: expected a list of strings
:21: unknown key `color`: expected name, what, anchor
:22: `layout`: expected one of `layouts`, which are 1 and 2; found `3`
"
        );
        assert_eq!(shown, expected);
    }
}
