//! `cargo xtask check`: runs the rules of xtask-check over the repository's files.

use super::tools::Tools;
use anyhow::Result;
use std::path::PathBuf;
use xtask_check::{CheckReport, CommandRefusal, RuleSelection, Severity};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::json;
use xtask_core::ui::{Ui, answer, ci_commands};

const EXAMPLES: &str = "\
Examples:
  cargo xtask check
  cargo xtask check --only dockerfile,shellcheck
  cargo xtask check --explain dockerfile    what the rule asks for, and why";

/// Check the repository's files, all rules in one run; no engine and no network needed
///
/// Exit codes: 0 no finding; 1 findings; 2 usage; 3 a rule that --only or --all-rules asks for cannot run here.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Run only these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
    /// Run all rules but these
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    skip: Vec<String>,
    /// Exit with 3 if a rule cannot run here, such as one whose linter is not installed
    #[arg(long)]
    all_rules: bool,
    /// First install the pinned linters into target/
    #[arg(long)]
    setup: bool,
    /// Severity from which a finding makes the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    fail_on: FailOn,
    /// Print machine-readable findings on stdout
    #[arg(long)]
    json: bool,
    /// Explain a rule: what must hold, and why
    #[arg(long, value_name = "RULE", exclusive = true)]
    explain: Option<String>,
    /// Print the tables of all rules, as in docs/rules.md
    #[arg(long, exclusive = true)]
    table: bool,
    /// Checkout to look at [default: this one]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FailOn {
    Warning,
    Error,
}

/// `cargo xtask check`. `refusal` says why a command line is none of xtask's.
pub(crate) fn command(repo: &Repo, args: &CheckArgs, refusal: CommandRefusal) -> Result<()> {
    if let Some(rule) = &args.explain {
        answer(format_args!("{}", xtask_check::explain(rule)?));
        return Ok(());
    }
    if args.table {
        answer(format_args!("{}", xtask_check::table()));
        return Ok(());
    }
    if args.setup {
        Tools::installed(repo, &Ui::new(false))?;
    }
    let selection = RuleSelection::new(args.only.clone(), args.skip.clone())?;
    let root = args.root.as_ref().unwrap_or(&repo.root);
    let report = xtask_check::check(root, &selection, refusal)?;
    show(&report, args.json);
    let least = match args.fail_on {
        FailOn::Warning => Severity::Warning,
        FailOn::Error => Severity::Error,
    };
    let findings = match report.count(least) {
        0 => return report.ensure_complete(args.all_rules),
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    };
    Err(Code::No
        .error(format!("{findings}; `cargo xtask check --explain RULE` says more about a rule")))
}

fn show(report: &CheckReport, as_json: bool) {
    let ui = Ui::new(false);
    for note in report.notes() {
        ui.notice(&note);
    }
    if as_json {
        json::print(&xtask_check::json(report));
    } else {
        answer(format_args!("{}", xtask_check::text(report)));
    }
    if xtask_core::ci::is_ci() {
        // on stdout they would break the JSON
        ci_commands(&xtask_check::annotations(report), as_json);
    }
}
