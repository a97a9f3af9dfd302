//! The rooms of xtask, from the top floor down: a room knows only the floors below it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of xtask/src by floor, the top one first. Rooms of one floor do not know each other.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["commands"],
    &["build"],
    &["builder_image"],
    &["engine", "registry", "external"],
];

/// Our crates, and the crates of ours that each may know.
const CRATES: &[(&str, &[&str])] = &[
    ("xtask", &["xtask_check", "xtask_core"]),
    ("xtask/check", &["xtask_core"]),
    ("xtask/core", &[]),
    ("xtask/diagnose", &["diskimage", "xtask_core"]),
    ("xtask/diskimage", &["xtask_core"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn sources_of(package: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root().join(package).join("src"), &mut found);
    assert!(!found.is_empty());
    found
}

/// The first names of all paths in `text` that begin with `prefix`, also in `use crate::{a, b};`.
fn names_after(text: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut names = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    names.push(word(group[start..i].trim_start()));
                    start = i + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn a_room_knows_only_the_floors_below_it() {
    let src = root().join("xtask/src");
    let mut faults = Vec::new();
    for path in sources_of("xtask") {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        let own = floor(room);
        assert!(own.is_some(), "{room} is on no floor: add it to FLOORS in {}", file!());
        for known in names_after(&fs::read_to_string(&path).unwrap(), "crate::") {
            if known != room && floor(&known) <= own {
                faults.push(format!("{} knows {known}", inside.display()));
            }
        }
    }
    assert!(faults.is_empty(), "arrows that run up:\n{}", faults.join("\n"));
}

#[test]
fn crates_know_only_those_below_them() {
    let ours: Vec<String> = CRATES
        .iter()
        .map(|(package, _)| {
            let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
            name.trim_end_matches('"').replace('-', "_")
        })
        .collect();
    let mut faults = Vec::new();
    for ((package, below), own) in CRATES.iter().zip(&ours) {
        for path in sources_of(package) {
            let text = fs::read_to_string(&path).unwrap();
            for other in ours.iter().filter(|name| *name != own && !below.contains(&name.as_str()))
            {
                // `commands::diagnose::` is a module, not the crate
                let prefix = format!("{other}::");
                let mut uses = text.match_indices(&prefix);
                if uses.any(|(at, _)| !text[..at].ends_with("::")) {
                    faults.push(format!("{} knows {other}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn names_are_found_in_every_kind_of_path() {
    let text = "use crate::build::{self, plan};\nuse crate::{engine::{a, b}, cli};\ncrate::x()";
    assert_eq!(names_after(text, "crate::"), ["build", "engine", "cli", "x"]);
}
