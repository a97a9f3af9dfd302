//! The state of each rule, and how it is printed.

use serde_json::{Value, json};
use xtask_core::ci;
use xtask_core::failure::Problem;
use xtask_core::rules::{DOCTOR, Described};
use xtask_core::ui::{Tone, answer, answer_in};

/// State of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleState {
    /// The rule holds; with the observation.
    Holds(String),
    /// A build works here today, but may fail elsewhere or soon.
    Doubtful(Problem),
    Broken(Problem),
    /// The rule was skipped; with the reason.
    Skipped(String),
}

/// The states found so far. A rule may have several.
#[derive(Debug, Default)]
pub(crate) struct DoctorReport {
    found: Vec<(&'static str, RuleState)>,
}

impl DoctorReport {
    pub(crate) fn holds(&mut self, rule: &'static str, what: impl Into<String>) {
        self.found.push((rule, RuleState::Holds(what.into())));
    }

    pub(crate) fn broken(&mut self, problem: Problem) {
        self.found.push((problem.rule, RuleState::Broken(problem)));
    }

    pub(crate) fn doubtful(&mut self, problem: Problem) {
        self.found.push((problem.rule, RuleState::Doubtful(problem)));
    }

    pub(crate) fn skipped(&mut self, rule: &'static str, why: impl Into<String>) {
        self.found.push((rule, RuleState::Skipped(why.into())));
    }

    /// Adds the states of another report.
    pub(crate) fn take(&mut self, other: DoctorReport) {
        // a rule that the other report examined is no longer skipped
        self.found
            .retain(|(rule, state)| !matches!(state, RuleState::Skipped(_)) || !other.knows(rule));
        self.found.extend(other.found);
    }

    /// Skips all rules that need a container and have no state yet, because of `why`.
    pub(crate) fn skip_engine_rules(&mut self, why: &str) {
        let others = [
            "image-served",
            "registry-login",
            "upstream-reachable",
            "server-version",
            "server-attachments",
        ];
        for rule in DOCTOR {
            if !self.knows(rule.name) && !others.contains(&rule.name) {
                self.skipped(rule.name, why);
            }
        }
    }

    pub(crate) fn knows(&self, rule: &str) -> bool {
        self.found.iter().any(|(known, _)| *known == rule)
    }

    pub(crate) fn is_broken(&self, rule: &str) -> bool {
        self.found.iter().any(|(known, o)| *known == rule && matches!(o, RuleState::Broken(_)))
    }

    pub(crate) fn findings(&self) -> usize {
        self.found.iter().filter(|(_, state)| matches!(state, RuleState::Broken(_))).count()
    }

    /// States in the order of [`DOCTOR`].
    fn ordered(&self) -> impl Iterator<Item = (&'static Described, &RuleState)> {
        DOCTOR.iter().flat_map(|rule| {
            let own = self.found.iter().filter(|(name, _)| *name == rule.name);
            own.map(move |(_, state)| (rule, state))
        })
    }

    /// Prints the rules, and then what was skipped: a line for each reason, with the rules if
    /// `verbose`.
    pub(crate) fn print(&self, verbose: bool) {
        for (rule, state) in self.ordered() {
            let (tone, word, text) = match state {
                RuleState::Holds(what) => (Tone::Good, "ok", what),
                RuleState::Doubtful(problem) => (Tone::Doubtful, "warning", &problem.what),
                RuleState::Broken(problem) => (Tone::Bad, "BROKEN", &problem.what),
                RuleState::Skipped(_) => continue,
            };
            let text = format!(" {:<20} {}", rule.name, indented(text));
            answer_in(tone, &format!("{word:<8}"), &text);
            if let RuleState::Broken(problem) | RuleState::Doubtful(problem) = state {
                answer(format_args!("         expected: {}", rule.what));
                answer(format_args!("         why: {} ({})", rule.why, rule.source));
                answer(format_args!("         fix: {}", indented(&problem.fix)));
            }
        }
        for (why, rules) in self.skipped_by_reason() {
            let names = match &rules[..] {
                [one] => (*one).to_owned(),
                all if verbose => all.join(", "),
                all => format!("{} rules", all.len()),
            };
            answer_in(Tone::Faint, "skipped ", &format!(" {names:<20} {}", indented(why)));
        }
    }

    /// The rules that were skipped, by the reason.
    fn skipped_by_reason(&self) -> Vec<(&str, Vec<&'static str>)> {
        let mut reasons: Vec<(&str, Vec<&'static str>)> = Vec::new();
        for (rule, state) in self.ordered() {
            let RuleState::Skipped(why) = state else { continue };
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, rules)) => rules.push(rule.name),
                None => reasons.push((why, vec![rule.name])),
            }
        }
        reasons
    }

    /// The broken rules, each with its fix, for the page of a CI run.
    pub(crate) fn annotations(&self) -> Vec<String> {
        let problems = self.ordered().filter_map(|(rule, state)| match state {
            RuleState::Broken(problem) => Some((rule, problem)),
            _ => None,
        });
        problems
            .map(|(rule, problem)| {
                ci::error(&format!("{}: {}\nfix: {}", rule.name, problem.what, problem.fix))
            })
            .collect()
    }

    /// The line at the end, if nothing is broken.
    pub(crate) fn all_is_well(&self, next: &str) -> String {
        let is_doubt = |(_, state): &&(_, RuleState)| matches!(state, RuleState::Doubtful(_));
        let doubts = match self.found.iter().filter(is_doubt).count() {
            0 => String::new(),
            1 => ", with 1 warning".to_owned(),
            n => format!(", with {n} warnings"),
        };
        format!("ready{doubts}: {next}")
    }

    pub(crate) fn json(&self) -> Value {
        let rules: Vec<Value> = self
            .ordered()
            .map(|(rule, state)| {
                let (word, text, fix) = match state {
                    RuleState::Holds(what) => ("ok", what, None),
                    RuleState::Doubtful(problem) => ("warning", &problem.what, Some(&problem.fix)),
                    RuleState::Broken(problem) => ("broken", &problem.what, Some(&problem.fix)),
                    RuleState::Skipped(why) => ("skipped", why, None),
                };
                json!({
                    "rule": rule.name, "state": word, "found": text, "fix": fix,
                    "expected": rule.what, "why": rule.why, "source": rule.source,
                })
            })
            .collect();
        json!({
            "format": "silvermetal-doctor/1",
            "ready": self.findings() == 0, "findings": self.findings(), "rules": rules,
        })
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n           ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rules_are_unique() {
        for (n, rule) in DOCTOR.iter().enumerate() {
            assert!(DOCTOR[..n].iter().all(|other| other.name != rule.name), "{}", rule.name);
            assert!(
                rule.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
        }
    }

    #[test]
    fn rules_that_were_skipped_are_listed_by_their_reason() {
        let mut report = DoctorReport::default();
        report.skipped("terminal", "no engine");
        report.skipped("release-tag", "no tag");
        report.skipped("chroot", "no engine");
        report.holds("disk", "much");
        assert_eq!(
            report.skipped_by_reason(),
            [("no tag", vec!["release-tag"]), ("no engine", vec!["terminal", "chroot"])]
        );
    }

    #[test]
    fn the_last_line_counts_warnings() {
        let mut report = DoctorReport::default();
        assert_eq!(report.all_is_well("cargo xtask iso"), "ready: cargo xtask iso");
        report.doubtful(Problem::new("slow", "wait").of("mirror"));
        assert_eq!(report.all_is_well("cargo xtask iso"), "ready, with 1 warning: cargo xtask iso");
    }

    #[test]
    fn only_broken_rules_are_findings() {
        let mut report = DoctorReport::default();
        report.holds("disk", "much");
        report.doubtful(Problem::new("slow", "wait").of("mirror"));
        report.skipped("chroot", "no engine");
        assert_eq!(report.findings(), 0);
        report.broken(Problem::new("little", "buy").of("memory"));
        assert_eq!(report.findings(), 1);
        let json = report.json();
        assert_eq!(json["ready"], false);
        assert_eq!(json["rules"].as_array().unwrap().len(), 4);
    }
}
