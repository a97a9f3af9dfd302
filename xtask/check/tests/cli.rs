//! The program as people and CI call it: all faults in one run, whatever lies in the tree.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use std::fs;
use support::Checkout;
use xtask_check::finding::Severity;
use xtask_check::rule::{Edit, Fixture, edit, replace};
use xtask_check::rules;
use xtask_core::exec::Exit;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const RUNNER: &str = ".gitea/runner/config.yaml";
const DOCKERFILE: &str = "linux/build/docker/Dockerfile.builder";

fn json(checkout: &Checkout, args: &[&str]) -> Value {
    let probe = checkout.check(args).arg("--json").env_remove("CI").output().unwrap();
    serde_json::from_str(&probe.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", probe.stdout, probe.stderr))
}

/// `rule path:line` of each finding.
fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    let text = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .map(|f| {
            format!(
                "{} {}:{}",
                text(f, "rule"),
                text(f, "path"),
                f["line"].as_u64().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn twenty_five_faults_are_twenty_five_findings_in_one_run() {
    let faults: [Fixture; 25] = [
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
        replace(
            WORKFLOW,
            "          submodules: recursive\n",
            "          persist-credentials: false\n",
            "",
        ),
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
        replace(RUNNER, "    - silvermetal-cargo-registry\n", "", ""),
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
            Edit::Append("SOURCE_DATE_EPOCH=soon\n"),
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
    faults.iter().for_each(|fault| checkout.break_by(fault));
    let report = json(&checkout, &[]);
    let found = found(&report);
    assert_eq!(found.len(), 25, "{found:#?}");
    let mut files: Vec<&str> = found.iter().filter_map(|f| f.split([' ', ':']).nth(1)).collect();
    files.dedup();
    assert_eq!(files.len(), 9, "{files:#?}");
}

#[test]
fn whatever_lies_there_is_a_finding_and_no_panic() {
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
        Edit::Write(b"\xff\xfe\x00\x01"),
        Edit::Write(b""),
        Edit::Write(b"\n"),
        Edit::Write(b"\"'`${(((<<<[[[{{{: - \\"),
        Edit::Write("\u{feff}a: b\r\n".as_bytes()),
        Edit::Write("ä=ö: ü@ß # check: allow é\n".as_bytes()),
        Edit::Size(2 << 20),
        Edit::Link("nowhere"),
        Edit::Folder,
        Edit::Remove,
    ];
    let checkout = Checkout::clean();
    for target in targets {
        let good = fs::read(checkout.root.join(target)).unwrap();
        for change in edits {
            checkout.break_by(&Fixture { path: target, edit: change, at: "" });
            let probe = checkout.check(&["--skip", "shellcheck"]).output().unwrap();
            assert_eq!(
                probe.exit,
                Exit::Code(1),
                "{target} {change:?}: {}{}",
                probe.stdout,
                probe.stderr
            );
            // what a script without sense breaks may show elsewhere
            let told = probe.stdout.contains(target) || target.ends_with(".sh");
            assert!(told, "{target} {change:?}: {}", probe.stdout);
            let path = checkout.root.join(target);
            drop(fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)));
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn crlf_everywhere_is_told_once_a_file() {
    let checkout = Checkout::clean();
    let mut files = Vec::new();
    for path in [
        WORKFLOW,
        RUNNER,
        DOCKERFILE,
        "linux/build/config/snapshot-pin.env",
        "linux/build/scripts/build.sh",
        ".gitmodules",
    ] {
        checkout.break_by(&Fixture { path, edit: Edit::Crlf, at: "" });
        files.push(format!("files {path}:1"));
    }
    files.sort();
    checkout.record_inputs();
    let report = json(&checkout, &["--skip", "shellcheck"]);
    assert_eq!(found(&report), files);
}

#[test]
fn a_reason_beside_the_line_excuses_it_and_is_counted() {
    let checkout = Checkout::clean();
    let comment = "# check: allow timeouts measured: this runner needs 40 minutes a build";
    let text = format!("    {comment}\n    timeout-minutes: 100");
    let text: &'static str = text.leak();
    checkout.break_by(&replace(WORKFLOW, "    timeout-minutes: 300", text, ""));
    let probe = checkout.check(&[]).env_remove("CI").output().unwrap();
    assert_eq!(probe.exit, Exit::Code(0), "{}", probe.stdout);
    assert!(probe.stdout.ends_with("no finding; 1 excused by comments\n"), "{}", probe.stdout);
    // the rule does not run: nobody can say whether the comment is needed
    assert!(found(&json(&checkout, &["--skip", "timeouts"])).is_empty());
}

#[test]
fn selections_and_exit_codes() {
    let checkout = Checkout::clean();
    checkout.break_by(&edit("linux/build/docker/packages.list", Edit::Append("vim\n"), ""));
    let exit = |args: &[&str]| checkout.check(args).output().unwrap().exit;
    assert_eq!(exit(&[]), Exit::Code(1), "a warning is a finding");
    assert_eq!(exit(&["--fail-on", "error"]), Exit::Code(0));
    assert_eq!(exit(&["--only", "timeouts,terminal"]), Exit::Code(0));
    assert_eq!(exit(&["--only", "stale-pin"]), Exit::Code(1));
    assert_eq!(exit(&["--skip", "stale-pin"]), Exit::Code(0));
    let usage = checkout.check(&["--only", "no-such-rule"]).output().unwrap();
    assert_eq!(usage.exit, Exit::Code(2));
    assert!(usage.stderr.contains("no rule is named no-such-rule"), "{}", usage.stderr);
    assert_eq!(exit(&["--explain", "no-such-rule"]), Exit::Code(2));
}

#[test]
fn findings_are_shown_with_line_reason_and_fix_and_annotated_in_ci() {
    let checkout = Checkout::clean();
    checkout.break_by(&replace(RUNNER, "  capacity: 1\n", "  capacitiy: 1\n", ""));
    let probe = checkout.check(&[]).env("CI", "true").output().unwrap();
    for part in [
        "error[runner-keys]: `runner` has no key `capacitiy`: it is ignored\n",
        "  --> .gitea/runner/config.yaml:6:3\n",
        "   6 |   capacitiy: 1\n         ^\n",
        "  expected: one of capacity, ",
        "  why: the runner ignores what it does not know",
        "  fix: correct the name, or remove it\n",
        ", 1 error, 0 warnings;",
        "\n::error file=.gitea/runner/config.yaml,line=6,col=3,title=runner-keys::`runner` has no key",
    ] {
        assert!(probe.stdout.contains(part), "{part:?} is not in\n{}", probe.stdout);
    }
    let json = checkout.check(&["--json"]).env("CI", "true").output().unwrap();
    assert!(
        serde_json::from_str::<Value>(&json.stdout).is_ok()
            && json.stderr.contains("::error file=")
    );
}

#[test]
fn without_git_the_files_are_still_looked_at() {
    let checkout = Checkout::clean();
    fs::remove_dir_all(checkout.root.join(".git")).unwrap();
    // git would find the repository around target/
    let ceiling = checkout.root.parent().unwrap().to_owned();
    fs::write(checkout.root.join(".git"), "gitdir: nowhere\n").unwrap();
    checkout.break_by(&replace(RUNNER, "  capacity: 1\n", "  capacitiy: 1\n", ""));
    let probe = checkout.check(&[]).env("GIT_CEILING_DIRECTORIES", ceiling).output().unwrap();
    assert!(probe.stderr.contains("note: no git repository"), "{}", probe.stderr);
    assert!(
        probe.stdout.contains("capacitiy") && probe.stdout.contains("1 error"),
        "{}",
        probe.stdout
    );
}

#[test]
fn the_table_in_the_docs_is_current() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
    let text = fs::read_to_string(docs).unwrap();
    let table = xtask_check::report::rules::table();
    let table = table.trim();
    if std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
        let start = text.find("## `cargo xtask check`").unwrap();
        fs::write(docs, format!("{}{table}\n", &text[..start])).unwrap();
    } else {
        assert!(text.contains(table), "write it anew: SNAPSHOTS=overwrite cargo test -p check");
    }
}

#[test]
fn every_rule_explains_itself() {
    let mut names = Vec::new();
    for rule in rules::ALL {
        let described = rule.described;
        let text = xtask_check::report::rules::explain(described.name).unwrap();
        assert!(text.contains(described.why) && text.contains(described.source), "{text}");
        assert!(
            !described.what.ends_with('.') && !described.why.ends_with('.'),
            "{}",
            described.name
        );
        assert!(!names.contains(&described.name), "{} twice", described.name);
        assert!(matches!(rule.severity, Severity::Error | Severity::Warning));
        names.push(described.name);
    }
    // a file that is in no list is no rule
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules")).unwrap();
    assert_eq!(files.count() - 1, names.len());
}
