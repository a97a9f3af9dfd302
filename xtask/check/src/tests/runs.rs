//! Whole runs: many problems at once, unreadable files, exceptions, selections, output.

use super::checkout::{Checkout, LINTERS};
use crate::finding::Severity;
use crate::report::annotations::annotations;
use crate::report::human;
use crate::report::json::json;
use crate::rule::{Fixture, FixtureEdit, edit, replace};
use crate::run::{CheckReport, check};
use crate::selection::RuleSelection;
use serde_json::Value;
use std::fs;
use xtask_core::failure::Code;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const RUNNER: &str = ".gitea/runner/config.yaml";
const DOCKERFILE: &str = "linux/build/docker/Dockerfile.builder";

/// `rule path:line` of each finding.
fn lines(report: &CheckReport) -> Vec<String> {
    let line =
        |f: &crate::finding::Finding| format!("{} {}:{}", f.rule, f.location.path, f.location.line);
    report.findings.iter().map(line).collect()
}

#[test]
fn one_run_finds_25_problems_in_9_files() {
    let problems: [Fixture; 25] = [
        replace(
            WORKFLOW,
            "needs: [check, builder-image]",
            "needs: [check, builder-image, chek]",
            "",
        ),
        replace(WORKFLOW, "steps.version.outputs.short", "steps.version.outputs.shrt", ""),
        replace(WORKFLOW, "== 'pull_request' }}", "== 'pull_request' && gitea.ref }}", ""),
        replace(WORKFLOW, "runs-on: silvermetal-builder", "runs-on: silvermetal-bilder", ""),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    environment: x\n",
            "",
        ),
        replace(
            WORKFLOW,
            "checkout@34e114876b0b11c390a56381ad16ebd13914f8d5 # v4.3.1",
            "checkout@v4",
            "",
        ),
        replace(WORKFLOW, "          submodules: recursive\n", "          clean: true\n", ""),
        replace(WORKFLOW, "secrets.REGISTRY_TOKEN", "secrets.GITHUB_TOKEN", ""),
        replace(WORKFLOW, "    tags: ['v*']\n", "    tags: ['release-*']\n", ""),
        replace(WORKFLOW, "        if: failure() # keep the diagnosis\n", "", ""),
        replace(WORKFLOW, "timeout-minutes: 300", "timeout-minutes: 100", ""),
        replace(
            WORKFLOW,
            "verify --compare build-a build-b",
            "verify --compare build-a build-a",
            "",
        ),
        replace(RUNNER, "    - example-cache\n", "", ""),
        replace(
            RUNNER,
            "config.json:/root/.docker/config.json:ro",
            "config.json:/root/.docker/config.json",
            "",
        ),
        replace(RUNNER, "  privileged: false\n", "  privileged: false\n  docker_host: \"-\"\n", ""),
        replace(RUNNER, "  capacity: 1\n", "  capacitiy: 1\n", ""),
        replace(
            DOCKERFILE,
            "@sha256:cedb1ef40439206b673ee8b33a46a03a0c9fa90bf3732f54704f99cb061d2c5a",
            "",
            "",
        ),
        replace(DOCKERFILE, "COPY packages.list", "COPY package.list", ""),
        replace(DOCKERFILE, "STOPSIGNAL SIGRTMIN+3\n", "", ""),
        replace("linux/build/docker/install-packages.sh", "/var/log/apt ", "", ""),
        replace("linux/build/recipes/canary/build", "set -euo pipefail\n", "", ""),
        replace(
            "linux/build/scripts/build.sh",
            "@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            ":latest",
            "",
        ),
        replace("xtask/src/engine/container.rs", "\"--cgroupns=host\", ", "", ""),
        edit(
            "linux/build/config/source-date-epoch.env",
            FixtureEdit::Append("SOURCE_DATE_EPOCH=soon\n"),
            "",
        ),
        replace(
            "linux/build/config/silvermetal-base.conf",
            "-b 1M -no-progress",
            "-b 1M -all-time 0",
            "",
        ),
    ];
    let checkout = Checkout::clean();
    problems.iter().for_each(|problem| checkout.break_by(problem));
    let found = lines(&checkout.check());
    assert_eq!(found.len(), 25, "{found:#?}");
    let mut files: Vec<&str> = found.iter().filter_map(|f| f.split([' ', ':']).nth(1)).collect();
    files.dedup();
    assert_eq!(files.len(), 9, "{files:#?}");
}

#[test]
fn any_content_is_reported_and_none_causes_a_panic() {
    let targets = [
        WORKFLOW,
        RUNNER,
        DOCKERFILE,
        ".gitmodules",
        ".gitea/versions.toml",
        "linux/build/config/snapshot-pin.env",
        "linux/build/config/silvermetal-base.conf",
        "linux/build/docker/builder-image.toml",
        "linux/build/docker/install-packages.sh",
        "linux/build/scripts/build.sh",
        "xtask/src/engine/container.rs",
    ];
    let edits = [
        FixtureEdit::Write(b"\xff\xfe\x00\x01"),
        FixtureEdit::Write(b""),
        FixtureEdit::Write(b"\n"),
        FixtureEdit::Write(b"\"'`${(((<<<[[[{{{: - \\"),
        FixtureEdit::Write("\u{feff}a: b\r\n".as_bytes()),
        FixtureEdit::Write("ä=ö: ü@ß # check: allow é\n".as_bytes()),
        FixtureEdit::Size(2 << 20),
        FixtureEdit::Link("nowhere"),
        FixtureEdit::Folder,
        FixtureEdit::Remove,
    ];
    let checkout = Checkout::clean();
    for target in targets {
        let path = checkout.root.join(target);
        let good = fs::read(&path).unwrap();
        for change in edits {
            checkout.break_by(&edit(target, change, ""));
            let found = lines(&checkout.check());
            assert!(!found.is_empty(), "{target} {change:?}");
            // a broken script may show in the Dockerfile that runs it
            let named = found.iter().any(|line| line.contains(target)) || target.ends_with(".sh");
            assert!(named, "{target} {change:?}: {found:?}");
            drop(fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)));
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn crlf_is_reported_once_per_file() {
    let checkout = Checkout::clean();
    let mut expected = Vec::new();
    for path in [
        WORKFLOW,
        RUNNER,
        DOCKERFILE,
        "linux/build/config/snapshot-pin.env",
        "linux/build/scripts/build.sh",
        ".gitmodules",
    ] {
        checkout.break_by(&edit(path, FixtureEdit::Crlf, ""));
        expected.push(format!("files {path}:1"));
    }
    expected.sort();
    checkout.record_inputs();
    assert_eq!(lines(&checkout.check()), expected);
}

#[test]
fn a_comment_with_a_reason_excuses_a_finding_and_is_counted() {
    let checkout = Checkout::clean();
    let comment = "    # check: allow timeouts this runner builds in 40 minutes\n";
    let text: &'static str = format!("{comment}    timeout-minutes: 100").leak();
    checkout.break_by(&replace(WORKFLOW, "    timeout-minutes: 300", text, ""));
    let report = checkout.check();
    assert!(report.findings.is_empty(), "{}", human::text(&report));
    assert!(
        human::text(&report).ends_with(" no finding; 1 excused by comments"),
        "{}",
        human::text(&report)
    );
    // if the rule does not run, nobody knows whether the comment is needed
    assert!(checkout.check_with(&[], &[&LINTERS[..], &["timeouts"]].concat()).findings.is_empty());
}

#[test]
fn a_selection_runs_what_it_names() {
    let checkout = Checkout::clean();
    checkout.break_by(&edit("linux/build/docker/packages.list", FixtureEdit::Append("vim\n"), ""));
    let stale = checkout.check();
    assert_eq!((stale.count(Severity::Warning), stale.count(Severity::Error)), (1, 0));
    let two = checkout.check_with(&["timeouts", "terminal"], &[]);
    assert_eq!((two.ran, two.findings.len()), (vec!["terminal", "timeouts"], 0));
    assert_eq!(checkout.check_with(&["stale-pin"], &[]).findings.len(), 1);
    assert!(checkout.check_with(&[], &[&LINTERS[..], &["stale-pin"]].concat()).findings.is_empty());
}

#[test]
fn a_selection_without_a_rule_is_a_usage_error() {
    for (only, skip, message) in [
        (vec!["timeout"], vec![], "no rule is named `timeout`; did you mean `timeouts`?"),
        (vec![], vec!["xyzzy"], "no rule is named `xyzzy`\n"),
        (vec!["clock"], vec![], "`clock` is a rule of `cargo xtask doctor`"),
        (vec!["yaml"], vec!["yaml"], "--skip leaves no rule to run"),
    ] {
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        let error = RuleSelection::new(owned(only), owned(skip)).unwrap_err();
        assert_eq!(Code::of(&error), Code::Usage);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_fix_names_everything_that_is_missing_and_quotes_only_words_from_outside() {
    let script = "linux/build/scripts/build.sh";
    let doctor = "        run: cargo xtask doctor\n";
    let builder = "        run: docker run --privileged --cgroupns=host -t --name a --label b=c silvermetal-builder true\n";
    for (problem, rule, fix) in [
        (
            replace(WORKFLOW, doctor, builder, ""),
            "systemd-flags",
            "add --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:rw",
        ),
        (
            replace(script, "set -euo pipefail", "set -e", ""),
            "script-head",
            "add below the first comment: set -euo pipefail",
        ),
        (
            replace(WORKFLOW, doctor, "        run: cargo xtask image push doktor\n", ""),
            "xtask-commands",
            "cargo xtask image push --help",
        ),
        (
            replace(WORKFLOW, doctor, "        run: cargo xtask doktor\n", ""),
            "xtask-commands",
            "cargo xtask doktor --help",
        ),
    ] {
        let checkout = Checkout::clean();
        checkout.break_by(&problem);
        let report = checkout.check_with(&[rule], &[]);
        let fixes: Vec<String> = report.findings.iter().map(|f| f.fix.to_string()).collect();
        assert_eq!(fixes, [fix]);
    }
}

#[test]
fn a_run_of_rules_that_could_not_run_is_an_error() {
    let checkout = Checkout::clean();
    checkout.leave_git();
    let only = vec!["submodule".to_owned()];
    let selection = RuleSelection::new(only, Vec::new()).unwrap();
    let report = check(&checkout.root, &selection, |_| None).unwrap();
    let error = report.ensure_complete(false).unwrap_err();
    assert_eq!(Code::of(&error), Code::NotReady);
    assert_eq!(error.to_string(), "rule `submodule` did not run: this folder is no git repository");
}

#[test]
fn a_folder_without_files_to_check_is_an_error() {
    let checkout = Checkout::clean();
    let empty = checkout.root.join("linux/build/derivative-maker");
    let error = check(&empty, &RuleSelection::default(), |_| None).err().unwrap();
    assert_eq!(Code::of(&error), Code::Usage);
    assert!(error.to_string().contains("no file that a rule reads"), "{error:#}");
}

#[test]
fn findings_show_line_reason_and_fix() {
    let checkout = Checkout::clean();
    checkout.break_by(&replace(RUNNER, "  capacity: 1\n", "  capacitiy: 1\n", ""));
    let report = checkout.check();
    let text = human::text(&report);
    for part in [
        "error[runner-keys]: `runner` has no key `capacitiy`",
        "  --> .gitea/runner/config.yaml:6:3\n",
        "   6 |   capacitiy: 1\n         ^\n",
        "  expected: one of capacity, ",
        "  why: the runner ignores ",
        "  fix: correct the name, or remove it\n",
        "  see: docs/rules.md#check-runner-keys\n",
        " rules, 1 error, 0 warnings",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let annotation = "::error file=.gitea/runner/config.yaml,line=6,col=3,title=runner-keys::";
    assert!(annotations(&report).starts_with(annotation));
    let json: Value = json(&report);
    assert_eq!(json["errors"], 1);
    assert_eq!(json["findings"][0]["see"], "docs/rules.md#check-runner-keys");
}

#[test]
fn without_git_the_other_rules_still_run() {
    let checkout = Checkout::clean();
    checkout.leave_git();
    checkout.break_by(&replace(RUNNER, "  capacity: 1\n", "  capacitiy: 1\n", ""));
    let report = checkout.check();
    assert_eq!(lines(&report), ["runner-keys .gitea/runner/config.yaml:6"]);
    let skipped: Vec<&str> = report.skipped.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(skipped, ["script-mode", "submodule"]);
    assert!(report.ensure_complete(false).is_ok(), "nobody asked for them");
    assert_eq!(Code::of(&report.ensure_complete(true).unwrap_err()), Code::NotReady);
}
