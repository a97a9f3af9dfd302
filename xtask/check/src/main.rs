//! `cargo xtask check`: the command line of the rules.

use anyhow::Result;
use arguments::{arguments, choices};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask_check::finding::Severity;
use xtask_check::tree::Tree;
use xtask_check::{Outcome, Selection, report};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::ui::answer;

arguments! {
    /// Find every fault that the repository's files alone can show, in one run: no engine, no network.
    ///
    /// Exit codes: 0 no finding; 1 findings; 2 usage.
    struct Cli {
        /// Only these rules
        only: Vec<String> = option("RULE").value_delimiter(','),
        /// All but these rules
        skip: Vec<String> = option("RULE").value_delimiter(','),
        /// What makes the exit code 1; the rest is only said
        fail_on: FailOn = option("FAIL_ON").default_value("warning"),
        /// Machine-readable findings on stdout
        json: bool = flag(),
        /// What a rule asks for, and why
        explain: Option<String> = option("RULE").exclusive(true),
        /// All rules, as docs/rules.md has them
        table: bool = flag().exclusive(true),
        /// Another checkout than this one
        root: Option<PathBuf> = option("DIR"),
    }
}

choices! {
    enum FailOn {
        "warning" => Warning,
        "error" => Error,
    }
}

fn main() -> ExitCode {
    let cli: Cli = arguments::parse("cargo xtask check");
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(Code::of(&error) as u8)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let known = report::rules::names();
    let named = cli.only.iter().chain(&cli.skip).chain(&cli.explain);
    let unknown: Vec<&str> =
        named.map(String::as_str).filter(|name| !known.contains(name)).collect();
    if !unknown.is_empty() {
        let listing = known.join(", ");
        return Err(Code::Usage
            .error(format!("no rule is named {}: expected one of {listing}", unknown.join(", "))));
    }
    if let Some(text) = cli.explain.as_deref().and_then(report::rules::explain) {
        answer(format_args!("{text}"));
        return Ok(ExitCode::SUCCESS);
    }
    if cli.table {
        answer(format_args!("{}", report::rules::table().trim()));
        return Ok(ExitCode::SUCCESS);
    }
    let root = match &cli.root {
        Some(root) => root.clone(),
        None => Repo::find()?.root,
    };
    let tree = Tree::load(&root).map_err(|error| Code::NotReady.wrap(error))?;
    let outcome =
        xtask_check::run(&tree, &Selection { only: cli.only.clone(), skip: cli.skip.clone() });
    show(cli, &tree, &outcome);
    let failing = match cli.fail_on {
        FailOn::Warning => outcome.findings.len(),
        FailOn::Error => outcome.count(Severity::Error),
    };
    Ok(if failing == 0 { ExitCode::SUCCESS } else { ExitCode::from(Code::No as u8) })
}

fn show(cli: &Cli, tree: &Tree, outcome: &Outcome) {
    for note in &outcome.notes {
        eprintln!("note: {note}");
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    if cli.json {
        answer(format_args!("{}", report::json::text(outcome, tree)));
    } else {
        let text = report::human::text(outcome, tree);
        answer(format_args!("{text}{}", report::human::summary(outcome)));
    }
    if in_ci {
        // beside the JSON they would break it
        let text = report::annotations::text(outcome);
        if cli.json { eprint!("{text}") } else { print!("{text}") }
    }
}
