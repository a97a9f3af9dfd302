//! Compares anchors with a revision.

use super::anchor::{Anchor, Lever, Levers, Must};
use super::tree::{Look, UpstreamTree};
use crate::escape::Shown as _;
use anyhow::Result;
use std::collections::BTreeMap;

/// An anchor, and how it stands in a revision.
#[derive(Debug)]
pub struct Judged<'a> {
    pub lever: &'a Lever,
    pub anchor: &'a Anchor,
    pub standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Holds,
    /// The text that stands there instead.
    Fell(String),
    /// The reason why nobody can look.
    Unread(String),
}

impl Judged<'_> {
    /// One line: the lever, the place and what was found there.
    pub fn shown(&self) -> String {
        let (Judged { lever, anchor, .. }, found) = (self, self.found());
        let seen = match anchor.held_at.as_slice() {
            [] => String::new(),
            versions => format!(" (the anchor held at {})", versions.join(" and ")),
        };
        format!("{}: {}: {found}{seen}", lever.what, anchor.path.shown())
    }

    /// The findings; empty if the anchor holds.
    pub fn found(&self) -> &str {
        match &self.standing {
            Standing::Holds => "",
            Standing::Fell(found) | Standing::Unread(found) => found,
        }
    }

    pub fn fell(&self) -> bool {
        matches!(self.standing, Standing::Fell(_))
    }
}

/// The layout that the tree has. A tree that has none of them, or several, is taken for one with the newest: its
/// list of steps falls.
///
/// # Errors
/// A file cannot be read.
fn layout<'a>(levers: &'a Levers, tree: &UpstreamTree) -> Result<Option<&'a String>> {
    let mut layout = levers.layouts.last();
    for name in &levers.layouts {
        if matches!(tree.files(&Levers::step(name))?, Look::There(_)) {
            layout = Some(name);
        }
    }
    Ok(layout)
}

/// Says that nobody ever built an image from the tree's layout.
///
/// # Errors
/// A file cannot be read.
pub fn untried(levers: &Levers, tree: &UpstreamTree) -> Result<Option<String>> {
    let layout = layout(levers, tree)?.filter(|name| levers.never_built.contains(name));
    Ok(layout.map(|name| {
        format!(
            "the layout {} of derivative-maker was read, but no image was ever built from it",
            name.shown()
        )
    }))
}

/// Judges every anchor that counts in the tree's layout.
///
/// # Errors
/// A file cannot be read.
pub fn judge<'a>(levers: &'a Levers, tree: &UpstreamTree) -> Result<Vec<Judged<'a>>> {
    let layout = layout(levers, tree)?;
    levers
        .anchors()
        .filter(|(_, anchor)| anchor.layout.is_none() || anchor.layout.as_ref() == layout)
        .map(|(lever, anchor)| Ok(Judged { lever, anchor, standing: standing(anchor, tree)? }))
        .collect()
}

fn standing(anchor: &Anchor, tree: &UpstreamTree) -> Result<Standing> {
    let path = anchor.path.as_str();
    Ok(match &anchor.must {
        Must::List(expected) => looked(anchor, tree.entries(path)?, |found| list(expected, &found)),
        Must::HaveContent { except } => looked(anchor, tree.empty_programs(path)?, |empty| {
            let empty: Vec<String> = empty.into_iter().filter(|e| !except.contains(e)).collect();
            (!empty.is_empty()).then(|| format!("empty programs: {}", empty.join(", ").shown()))
        }),
        Must::Lack(text) => looked(anchor, tree.files(path)?, |files| {
            let hit = code(&files).find(|line| line.text.contains(text.as_str()))?;
            Some(format!("`{}` stands in {}, line {}", text.shown(), hit.path.shown(), hit.number))
        }),
        Must::HaveInOrder(lines) => {
            looked(anchor, tree.files(path)?, |files| in_order(lines, &files))
        }
        Must::MentionOnly { word, lines } => {
            looked(anchor, tree.files(path)?, |files| mentions(word, lines, path, &files))
        }
    })
}

fn looked<T>(anchor: &Anchor, look: Look<T>, fault: impl FnOnce(T) -> Option<String>) -> Standing {
    match look {
        Look::There(found) => fault(found).map_or(Standing::Holds, Standing::Fell),
        Look::Missing => Standing::Fell("no longer there".to_owned()),
        // a commit names the content of its whole tree
        Look::InSubmodule { commit, .. } if anchor.submodule_at.as_ref() == Some(&commit) => {
            Standing::Holds
        }
        Look::InSubmodule { path, commit } => Standing::Unread(format!(
            "nobody looked: the submodule {} moved to {} and is not checked out here",
            path.shown(),
            &commit[..12.min(commit.len())]
        )),
    }
}

/// A line that is no comment, without indentation and with single spaces.
struct CodeLine<'a> {
    path: &'a str,
    number: usize,
    text: String,
}

fn code(files: &BTreeMap<String, String>) -> impl Iterator<Item = CodeLine<'_>> {
    files.iter().flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines.filter_map(move |(n, line)| {
            let line = line.trim();
            let is_code = !line.is_empty() && !line.starts_with('#');
            is_code.then(|| CodeLine { path, number: n + 1, text: plain(line) })
        })
    })
}

fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn list(expected: &[String], found: &[String]) -> Option<String> {
    let without = |list: &[String], other: &[String]| {
        list.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>().join(", ")
    };
    let parts = [("gone: ", without(expected, found)), ("new: ", without(found, expected))];
    let told: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(head, names)| format!("{head}{}", names.shown()))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn in_order(expected: &[String], files: &BTreeMap<String, String>) -> Option<String> {
    let lines: Vec<CodeLine<'_>> = code(files).collect();
    let mut from = 0;
    for (n, wanted) in expected.iter().map(|line| plain(line)).enumerate() {
        let place = |lines: &[CodeLine<'_>]| lines.iter().position(|line| line.text == wanted);
        match place(&lines[from..]) {
            Some(at) => from += at + 1,
            None if place(&lines).is_some() => {
                let before = n.checked_sub(1).map_or("", |n| &expected[n]);
                return Some(format!(
                    "`{}` no longer follows `{}`",
                    wanted.shown(),
                    before.shown()
                ));
            }
            None => return Some(format!("no line `{}`", wanted.shown())),
        }
    }
    None
}

fn mentions(
    word: &str,
    expected: &[String],
    path: &str,
    files: &BTreeMap<String, String>,
) -> Option<String> {
    let is_file = files.contains_key(path);
    let found: Vec<(String, usize)> = code(files)
        .filter(|line| line.text.contains(word))
        .map(|line| {
            let text = if is_file { line.text } else { format!("{}: {}", line.path, line.text) };
            (text, line.number)
        })
        .collect();
    let expected: Vec<String> = expected.iter().map(|line| plain(line)).collect();
    let differs = (0..expected.len().max(found.len()))
        .find(|n| expected.get(*n) != found.get(*n).map(|(text, _)| text))?;
    let is_left = |line: &String| found[differs..].iter().any(|(text, _)| text == line);
    Some(match (expected.get(differs), found.get(differs)) {
        (Some(line), _) if !is_left(line) => format!("no line `{}`", line.shown()),
        (_, Some((line, number))) => {
            format!("`{}` is new, line {number}, and mentions {word}", line.shown())
        }
        (line, None) => format!("no line `{}`", line.cloned().unwrap_or_default().shown()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("f".to_owned(), text.to_owned())])
    }

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_stand_in_order_whatever_their_indentation() {
        let lines = owned(&["a  b", "c"]);
        assert_eq!(in_order(&lines, &file("  a b\nx\n\tc\n")), None);
        assert_eq!(in_order(&lines, &file("c\na b\n")).unwrap(), "`c` no longer follows `a  b`");
        assert_eq!(in_order(&lines, &file("a b\n# c\n")).unwrap(), "no line `c`");
        assert_eq!(in_order(&lines, &file("a b\nc d\n")).unwrap(), "no line `c`");
        // the same line twice: the second one has to follow, too
        assert_eq!(
            in_order(&owned(&["c", "c"]), &file("c\n")).unwrap(),
            "`c` no longer follows `c`"
        );
    }

    #[test]
    fn all_lines_with_a_word_are_those() {
        let check = |text: &str| mentions("W", &owned(&["W=1", "use W"]), "f", &file(text));
        assert_eq!(check("W=1\n# W\nuse W\n"), None);
        assert_eq!(check("W=1\n").unwrap(), "no line `use W`");
        assert_eq!(check("W=2\nuse W\n").unwrap(), "no line `W=1`");
        let later = check("W=1\nuse W\nW=3\n").unwrap();
        assert_eq!(later, "`W=3` is new, line 3, and mentions W");
        let between = check("W=1\nW=3\nuse W\n").unwrap();
        assert_eq!(between, "`W=3` is new, line 2, and mentions W");
        let other = mentions("W", &[], "d", &file("W=1\n")).unwrap();
        assert_eq!(other, "`f: W=1` is new, line 1, and mentions W");
        assert_eq!(check("use W\nW=1\n").unwrap(), "`use W` is new, line 1, and mentions W");
    }

    #[test]
    fn a_list_is_exact() {
        assert_eq!(list(&owned(&["a", "b"]), &owned(&["a", "b"])), None);
        assert_eq!(list(&owned(&["a", "b"]), &owned(&["b", "c"])).unwrap(), "gone: a; new: c");
    }
}
