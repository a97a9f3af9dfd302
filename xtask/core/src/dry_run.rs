//! Dry runs: the plan of a command in about ten lines, and with `-v` every command that would run.

use crate::escape::Shown as _;
use crate::failure::{Problem, refuse};
use crate::json;
use crate::ui::answer;
use anyhow::Result;

/// The plan of one run, as data.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// Names and values, one a line: inputs, pins, engine, image, stages, place of the result.
    summary: Vec<(&'static str, String)>,
    steps: Vec<Step>,
}

/// Commands that belong together.
#[derive(Clone, Debug)]
struct Step {
    what: String,
    /// Command lines, exactly as they would run; alternatives are separated by a comment.
    commands: String,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug)]
pub struct PlanFormat {
    pub json: bool,
    /// Also prints every command.
    pub verbose: bool,
}

impl DryRun {
    /// Adds a line to the summary.
    pub fn line(&mut self, name: &'static str, value: impl Into<String>) {
        self.summary.push((name, value.into()));
    }

    pub fn step(&mut self, what: impl Into<String>, commands: impl ToString) {
        self.steps.push(Step { what: what.into(), commands: commands.to_string() });
    }

    /// Adds the steps of another plan, each with `name` before it.
    pub fn steps_of(&mut self, name: &str, other: &DryRun) {
        let steps = other.steps.iter().cloned();
        self.steps
            .extend(steps.map(|step| Step { what: format!("{name}: {}", step.what), ..step }));
    }

    /// Prints the plan of `command`. Problems end a dry run as they would end the run: with exit code 3.
    pub fn show(&self, command: &str, problems: &[Problem], shown: PlanFormat) -> Result<()> {
        if shown.json {
            json::print(&self.json(command, problems));
        } else {
            answer(format_args!("{}", self.text(shown.verbose)));
        }
        refuse(problems)
    }

    /// The plan for people, with `verbose` also every command.
    pub fn text(&self, verbose: bool) -> String {
        let mut lines: Vec<String> = self
            .summary
            .iter()
            .map(|(name, value)| format!("{name:<10} {}", value.shown()))
            .collect();
        if verbose {
            let steps = self.steps.iter();
            lines.extend(steps.map(|step| format!("# {}\n{}", step.what, step.commands)));
        }
        lines.join("\n")
    }

    /// The plan of `command` for programs.
    pub fn json(&self, command: &str, problems: &[Problem]) -> serde_json::Value {
        let lines = self.summary.iter();
        let lines = lines.map(|(name, value)| serde_json::json!({ "name": name, "value": value }));
        let steps = self.steps.iter();
        let steps = steps.map(|s| serde_json::json!({ "what": s.what, "commands": s.commands }));
        serde_json::json!({
            "format": "silvermetal-plan/1",
            "command": command,
            "ready": problems.is_empty(),
            "problems": json::problems(problems),
            "summary": lines.collect::<Vec<_>>(),
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    fn plan() -> DryRun {
        let mut plan = DryRun::default();
        plan.line("recipe", "canary");
        plan.step("build", "docker run x");
        plan
    }

    #[test]
    fn commands_are_shown_only_on_demand() {
        assert_eq!(plan().text(false), "recipe     canary");
        assert_eq!(plan().text(true), "recipe     canary\n# build\ndocker run x");
    }

    #[test]
    fn a_dry_run_that_finds_problems_is_not_ready() {
        let problems = [Problem::new("no disk", "buy one")];
        let json = plan().json("iso", &problems);
        assert_eq!(json["ready"], false);
        assert_eq!(json["problems"][0]["fix"], "buy one");
        let shown = PlanFormat { json: false, verbose: false };
        let error = plan().show("iso", &problems, shown).unwrap_err();
        assert_eq!(Code::of(&error), Code::NotReady);
        plan().show("iso", &[], shown).unwrap();
    }
}
