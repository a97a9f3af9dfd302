//! One name, one type: a type that another file can name has a name of its own in the workspace.

use super::source::{File, PACKAGES, files};
use std::collections::{BTreeMap, BTreeSet};

/// Names that several types have. Such a type is seen at most as far as `widest`.
struct Shared {
    name: &'static str,
    widest: Visibility,
    reason: &'static str,
}

const SHARED: [Shared; 7] = [
    program("Cli"),
    program("Command"),
    format("Inode", "ext's and squashfs' word"),
    format("Superblock", "the word of ext, squashfs and dm-verity"),
    format("Volume", "FAT's word, and ext's: an open file system"),
    format("Lexer", "GRUB's script and the shell each have one"),
    format("Token", "GRUB's script and the expressions of workflows each have their own"),
];

const fn program(name: &'static str) -> Shared {
    Shared {
        name,
        widest: Visibility::Crate,
        reason: "each program has its own, as clap's users name it",
    }
}

/// A word of a format or a language, for the file or folder that reads it.
const fn format(name: &'static str, reason: &'static str) -> Shared {
    Shared { name, widest: Visibility::Folder, reason }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Visibility {
    File,
    /// `pub(super)`
    Folder,
    /// `pub(crate)`, `pub(in …)`
    Crate,
    Public,
}

struct Type<'f> {
    name: &'f str,
    visibility: Visibility,
    path: &'f str,
}

/// The types that stand in `file` itself: none of a test module, a function or an `impl`.
fn types(file: &File) -> Vec<Type<'_>> {
    const KEYWORDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];
    let mut found = Vec::new();
    let mut depth = 0;
    for (at, token) in file.tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            keyword if depth == 0 && KEYWORDS.contains(&keyword) => found.push(Type {
                name: &file.tokens[at + 1],
                visibility: visibility(&file.tokens[..at]),
                path: &file.path,
            }),
            _ => {}
        }
    }
    found
}

/// The visibility that the tokens before a keyword say.
fn visibility(before: &[String]) -> Visibility {
    match before.last().map(String::as_str) {
        Some("pub") => Visibility::Public,
        // an attribute ends with another bracket
        Some(")") => match before[before.len() - 2].as_str() {
            "super" => Visibility::Folder,
            _ => Visibility::Crate,
        },
        _ => Visibility::File,
    }
}

#[test]
fn one_name_names_one_type() {
    let all: Vec<File> = PACKAGES
        .iter()
        .flat_map(|package| files(package))
        .filter(|file| !file.module.iter().any(|part| part == "tests"))
        .collect();
    let mut named: BTreeMap<&str, Vec<Type>> = BTreeMap::new();
    for one in all.iter().flat_map(types) {
        named.entry(one.name).or_default().push(one);
    }
    named.retain(|_, types| {
        types.len() > 1 && types.iter().any(|one| one.visibility > Visibility::File)
    });
    let mut problems = Vec::new();
    for (name, types) in &named {
        let shared = SHARED.iter().find(|shared| shared.name == *name);
        for one in types {
            let place = format!("{name}, {:?}, {}", one.visibility, one.path);
            match shared {
                None => problems.push(place),
                Some(shared) if one.visibility > shared.widest => {
                    problems.push(format!("{place}: too wide for {}", shared.reason));
                }
                Some(_) => {}
            }
        }
    }
    assert!(
        problems.is_empty(),
        "several types have one name; rename all but one, or give a reason in {}: {problems:#?}",
        file!()
    );
    let shared: BTreeSet<&str> = SHARED.iter().map(|shared| shared.name).collect();
    let gone: Vec<_> = shared.iter().filter(|name| !named.contains_key(*name)).collect();
    assert!(gone.is_empty(), "one type has this name now; take it out of {}: {gone:?}", file!());
}
