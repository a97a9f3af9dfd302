//! Rooms: the files and folders beside `main.rs`. A room uses only those on the floors below it.

use super::arrows::arrows;
use super::source::{PACKAGES, files, root};
use std::collections::BTreeSet;
use std::fs;

/// The rooms of a crate by floor, the top one first. Rooms of one floor do not use each other.
type Floors = &'static [&'static [&'static str]];

const ROOMS: [(&str, Floors); 2] = [
    (
        "xtask",
        &[
            &["main"],
            &["cli"],
            &["commands"],
            &["build"],
            &["builder_image"],
            &["engine", "registry", "external"],
            &["qemu"],
        ],
    ),
    (
        "xtask/diagnose",
        &[
            &["main"],
            &["diagnose"],
            &["records", "inspect"],
            &["report"],
            &["diffoscope"],
            &["classify"],
            &["compare"],
            &["images"],
            &["difference"],
            &["cli", "edits"],
            &["builder_shell", "dates", "packages", "subject", "text"],
        ],
    ),
];

/// The crates of ours that each of our packages may use.
fn crates_below(package: &str) -> &'static [&'static str] {
    match package {
        "xtask" => &["xtask_args", "xtask_check", "xtask_core"],
        "xtask/args" | "xtask/check" | "xtask/diskimage" => &["xtask_core"],
        "xtask/core" | "xtask/start" => &[],
        "xtask/diagnose" => &["diskimage", "xtask_args", "xtask_core"],
        _ => panic!("{package} is on no floor: add it to crates_below in {}", file!()),
    }
}

fn room<'a>(package: &str, path: &'a str) -> &'a str {
    let inside = path.strip_prefix(package).unwrap().strip_prefix("/src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor(floors: Floors, room: &str) -> usize {
    let floor = floors.iter().position(|rooms| rooms.contains(&room));
    floor.unwrap_or_else(|| panic!("{room} is on no floor: add it to ROOMS in {}", file!()))
}

#[test]
fn a_room_uses_only_the_floors_below_it() {
    let mut upward = BTreeSet::new();
    for (package, floors) in ROOMS {
        for (file, used) in arrows(&files(package)) {
            let own = room(package, &file);
            let own_floor = floor(floors, own);
            for other in used.keys().map(|path| room(package, path)) {
                if other != own && floor(floors, other) <= own_floor {
                    upward.insert(format!("{file} uses {other}"));
                }
            }
        }
    }
    assert!(upward.is_empty(), "arrows that run up: {upward:#?}");
}

#[test]
fn crates_use_only_those_below_them() {
    let name = |package: &str| {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
        name.trim_end_matches('"').replace('-', "_")
    };
    let ours: Vec<String> = PACKAGES.iter().map(|package| name(package)).collect();
    let mut upward = BTreeSet::new();
    for package in PACKAGES {
        let own = name(package);
        for file in files(package) {
            // `commands::diagnose::` is a module, not the crate
            let first = |at: usize| at == 0 || file.tokens[at - 1] != "::";
            for (at, pair) in file.tokens.windows(2).enumerate() {
                let used = &pair[0];
                let is_crate = pair[1] == "::" && first(at) && ours.contains(used);
                if is_crate && *used != own && !crates_below(package).contains(&used.as_str()) {
                    upward.insert(format!("{} uses {used}", file.path));
                }
            }
        }
    }
    assert!(upward.is_empty(), "arrows that run up: {upward:#?}");
}
