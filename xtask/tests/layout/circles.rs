//! No circles of files: a file is not used by the files that it uses.

use super::arrows::{Arrows, arrows};
use super::source::{PACKAGES, files};
use std::collections::BTreeSet;

/// The groups of files that use each other, directly or through others of the group.
fn circles(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for file in arrows.keys() {
        let used = reachable(arrows, file);
        let circle: BTreeSet<&str> = used
            .iter()
            .filter(|other| reachable(arrows, other).contains(file.as_str()))
            .copied()
            .collect();
        if !circle.is_empty() && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn reachable<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut left = vec![from];
    while let Some(file) = left.pop() {
        for next in arrows[file].keys() {
            if found.insert(next.as_str()) {
                left.push(next);
            }
        }
    }
    found
}

/// A circle, with the names that its files use from each other.
fn described(arrows: &Arrows, circle: &BTreeSet<&str>) -> String {
    let mut lines = vec!["these files use each other:".to_owned()];
    for file in circle {
        for (used, names) in arrows[*file].iter().filter(|(used, _)| circle.contains(used.as_str()))
        {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            lines.push(format!("  {file} uses {used}: {}", names.join(", ")));
        }
    }
    lines.join("\n")
}

#[test]
fn no_files_use_each_other() {
    let mut faults = Vec::new();
    for package in PACKAGES {
        let arrows = arrows(&files(package));
        faults.extend(circles(&arrows).iter().map(|circle| described(&arrows, circle)));
    }
    assert!(
        faults.is_empty(),
        "{}\nMove the shared type or function to a file of its own, or pass a value.",
        faults.join("\n")
    );
}

#[test]
fn a_circle_of_three_is_found() {
    let arrow = |to: &str| (to.to_owned(), BTreeSet::from(["x".to_owned()]));
    let arrows = Arrows::from([
        ("a".to_owned(), [arrow("b"), arrow("leaf")].into()),
        ("b".to_owned(), [arrow("c")].into()),
        ("c".to_owned(), [arrow("a")].into()),
        ("leaf".to_owned(), [].into()),
        ("user".to_owned(), [arrow("a")].into()),
    ]);
    assert_eq!(circles(&arrows), [BTreeSet::from(["a", "b", "c"])]);
}
