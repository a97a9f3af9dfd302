//! The rooms of this crate, from the ground up: a room uses only those below it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Floors from the ground up; rooms on one floor do not know each other.
const FLOORS: [&[&str]; 11] = [
    &["builder_shell", "dates", "packages", "subject", "text"],
    &["cli", "edits"],
    &["difference"],
    &["images"],
    &["compare"],
    &["classify"],
    &["diffoscope"],
    &["report"],
    &["records", "inspect"],
    &["diagnose"],
    &["main"],
];

fn floor(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("src/{room} is on no floor: add it to FLOORS in tests/rooms.rs"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_room_uses_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut upward = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(&src).unwrap();
        let room = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        for part in fs::read_to_string(&file).unwrap().split("crate::").skip(1) {
            let used = part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            // `use crate::{a, b}` would hide from this test
            assert!(!used.is_empty(), "{}: name one room in a `use` line", path.display());
            if used != room && floor(used) >= floor(room) {
                upward.insert(format!("{}: {room} uses {used}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}
