//! Every rule is caught breaking: by its own fixtures, and by no other rule.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::Checkout;
use xtask_check::rule::Fixture;
use xtask_check::rules;
use xtask_check::tree::Tree;
use xtask_check::{Selection, run};

fn findings(checkout: &Checkout) -> Vec<xtask_check::finding::Finding> {
    let tree = Tree::load(&checkout.root).unwrap();
    run(&tree, &Selection::default()).findings
}

#[test]
fn a_clean_tree_has_no_finding() {
    let found = findings(&Checkout::clean());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_fixture_is_caught_by_its_rule_alone() {
    let only = std::env::var("RULE").ok();
    let with_shellcheck = xtask_core::exec::which("shellcheck").is_some();
    let mut all = Vec::new();
    for rule in rules::ALL {
        let name = rule.described.name;
        assert!(!rule.fixtures.is_empty(), "{name} has no fixture");
        let wanted = only.as_deref().is_none_or(|only| only == name);
        if wanted && (name != "shellcheck" || with_shellcheck) {
            all.extend(rule.fixtures.iter().map(|fixture| (name, fixture)));
        }
    }
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let (first, second) = all.split_at(all.len() / 2);
        let work = |part| move || part_of(part);
        let threads = [scope.spawn(work(first)), scope.spawn(work(second))];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}\n{} fixtures are not right", wrong.join("\n\n"), wrong.len());
}

/// What is wrong with these fixtures.
fn part_of(fixtures: &[(&str, &Fixture)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, fixture) in fixtures {
        let checkout = Checkout::clean();
        checkout.break_by(fixture);
        if *name != "stale-pin" {
            // any change of docker/ makes the pin stale, which is not the fault meant here
            checkout.record_inputs();
        }
        let found = findings(&checkout);
        let tree = Tree::load(&checkout.root).unwrap();
        let pointed = found.iter().any(|f| match fixture.at {
            "" => true,
            at => tree.line_at(&f.place.path, f.place.line).contains(at),
        });
        if found.is_empty() || !pointed || found.iter().any(|f| f.rule != *name) {
            wrong.push(format!("{name} ({fixture:?}): {found:#?}"));
        }
    }
    wrong
}
