//! The rules' own texts, and docs/rules.md, which repeats them.

use crate::report::catalog;
use crate::rules;
use std::fs;
use xtask_core::rules::DOCTOR;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");

#[test]
fn the_tables_in_the_docs_are_current() {
    let text = fs::read_to_string(DOCS).unwrap();
    let start = text.find("## `cargo xtask check`").unwrap();
    let table = catalog::table() + "\n";
    if std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
        fs::write(DOCS, format!("{}{table}", &text[..start])).unwrap();
    } else if text[start..] != table {
        panic!("update it: SNAPSHOTS=overwrite cargo test -p xtask-check tables_in_the_docs");
    }
}

#[test]
fn each_rule_explains_itself() {
    for described in rules::ALL.iter().map(|rule| &rule.described).chain(DOCTOR) {
        let text = catalog::explain(described.name).unwrap();
        for part in [described.what, described.why, described.source] {
            assert!(!part.is_empty() && !part.ends_with('.'), "{}", described.name);
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn names_are_unique_and_are_the_names_of_the_files() {
    let mut names: Vec<String> =
        rules::ALL.iter().map(|rule| rule.name().replace('-', "_")).collect();
    names.sort();
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules")).unwrap();
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "mod")
        .collect();
    files.sort();
    assert_eq!(names, files);
}

#[test]
fn an_unknown_rule_gets_a_suggestion() {
    let error = |name: &str| catalog::explain(name).unwrap_err().to_string();
    assert_eq!(error("timeout"), "no rule is named `timeout`; did you mean `timeouts`?");
    assert_eq!(error("xyzzy"), "no rule is named `xyzzy`");
}
