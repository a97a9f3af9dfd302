//! Every fixture is found by its own rule, and by no other.

use super::checkout::{Checkout, LINTERS};
use crate::finding::Finding;
use crate::rule::{Fixture, Rule};
use crate::rules;
use std::thread;

#[test]
fn the_clean_tree_has_no_finding() {
    let found = Checkout::clean().check().findings;
    assert!(found.is_empty(), "{found:#?}");
}

/// `RULE=name cargo test -p xtask-check fixtures` tries only the fixtures of that rule.
#[test]
fn each_fixture_is_found_by_its_rule_alone() {
    let only = std::env::var("RULE").ok();
    let wanted = |rule: &&&Rule| only.as_deref().is_none_or(|only| only == rule.name());
    let rules = rules::ALL.iter().filter(|rule| !LINTERS.contains(&rule.name())).filter(wanted);
    let fixtures: Vec<_> =
        rules.flat_map(|rule| rule.fixtures.iter().map(|f| (*rule, f))).collect();
    assert!(!fixtures.is_empty(), "no rule is named {only:?}");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let parts = fixtures.chunks(fixtures.len().div_ceil(threads));
    let check = |checkout: &Checkout| checkout.check().findings;
    let wrong: Vec<String> = thread::scope(|scope| {
        let work = |part: &[(&Rule, &Fixture)]| -> Vec<String> {
            part.iter().filter_map(|(rule, fixture)| wrong(rule, fixture, check)).collect()
        };
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}\n{} fixtures are wrong", wrong.join("\n\n"), wrong.len());
}

#[test]
#[ignore = "needs the linters: cargo xtask test --full"]
fn linters_find_their_fixtures() {
    let check = |checkout: &Checkout| {
        let report = checkout.check_with(&[], &[]);
        assert_eq!(report.skipped, [], "a linter is not installed");
        report.findings
    };
    assert_eq!(check(&Checkout::clean()), []);
    let linters = rules::ALL.iter().filter(|rule| LINTERS.contains(&rule.name()));
    let fixtures = linters.flat_map(|rule| rule.fixtures.iter().map(move |f| (rule, f)));
    let wrong: Vec<_> = fixtures.filter_map(|(rule, f)| wrong(rule, f, check)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_rule_has_fixtures() {
    for rule in rules::ALL {
        assert!(rule.fixtures.iter().any(|fixture| !fixture.legal), "{}", rule.name());
    }
}

/// Says what is wrong with a fixture: not found, found elsewhere, or found by another rule.
fn wrong(
    rule: &Rule,
    fixture: &Fixture,
    check: impl Fn(&Checkout) -> Vec<Finding>,
) -> Option<String> {
    let checkout = Checkout::clean();
    checkout.break_by(fixture);
    if rule.name() != "stale-pin" {
        // every change of docker/ makes the pin stale
        checkout.record_inputs();
    }
    let found = check(&checkout);
    let right = if fixture.legal {
        found.is_empty()
    } else {
        let pointed = found.iter().any(|f| points_at(f, fixture.at, &checkout));
        pointed && found.iter().all(|f| f.rule == rule.name())
    };
    (!right).then(|| format!("{} ({fixture:?}): {found:#?}", rule.name()))
}

fn points_at(finding: &Finding, text: &str, checkout: &Checkout) -> bool {
    if text.is_empty() {
        return true;
    }
    let file = std::fs::read_to_string(checkout.root.join(&finding.location.path));
    let line = finding.location.line.checked_sub(1);
    line.zip(file.ok())
        .is_some_and(|(n, file)| file.lines().nth(n).is_some_and(|line| line.contains(text)))
}
