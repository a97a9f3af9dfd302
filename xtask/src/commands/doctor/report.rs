//! What doctor found, rule by rule.

use serde_json::{Value, json};
use xtask_core::failure::Problem;
use xtask_core::rules::{DOCTOR, Described};
use xtask_core::ui::answer;

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With what shows it.
    Holds(String),
    /// A build works here today, but not everywhere, or not for long.
    Doubtful(Problem),
    Broken(Problem),
    /// Why it was not looked at.
    NotLooked(String),
}

/// Outcomes in the order of the rules; a rule may have several.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<(&'static str, Outcome)>,
}

impl Report {
    pub(crate) fn holds(&mut self, rule: &'static str, what: impl Into<String>) {
        self.found.push((rule, Outcome::Holds(what.into())));
    }

    pub(crate) fn broken(&mut self, problem: Problem) {
        self.found.push((problem.rule, Outcome::Broken(problem)));
    }

    pub(crate) fn doubtful(&mut self, problem: Problem) {
        self.found.push((problem.rule, Outcome::Doubtful(problem)));
    }

    pub(crate) fn not_looked(&mut self, rule: &'static str, why: impl Into<String>) {
        self.found.push((rule, Outcome::NotLooked(why.into())));
    }

    /// What another one found, too.
    pub(crate) fn take(&mut self, other: Report) {
        // where something else was first the reason for not looking
        self.found.retain(|(rule, outcome)| {
            !matches!(outcome, Outcome::NotLooked(_)) || !other.knows(rule)
        });
        self.found.extend(other.found);
    }

    pub(crate) fn knows(&self, rule: &str) -> bool {
        self.found.iter().any(|(known, _)| *known == rule)
    }

    pub(crate) fn is_broken(&self, rule: &str) -> bool {
        self.found.iter().any(|(known, o)| *known == rule && matches!(o, Outcome::Broken(_)))
    }

    pub(crate) fn findings(&self) -> usize {
        self.found.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Broken(_))).count()
    }

    /// In the order of the rules' table.
    fn ordered(&self) -> impl Iterator<Item = (&'static Described, &Outcome)> {
        DOCTOR.iter().flat_map(|rule| {
            let own = self.found.iter().filter(|(name, _)| *name == rule.name);
            own.map(move |(_, outcome)| (rule, outcome))
        })
    }

    pub(crate) fn print(&self) {
        for (rule, outcome) in self.ordered() {
            let (word, text) = match outcome {
                Outcome::Holds(what) => ("ok", what),
                Outcome::Doubtful(problem) => ("warning", &problem.what),
                Outcome::Broken(problem) => ("BROKEN", &problem.what),
                Outcome::NotLooked(why) => ("skipped", why),
            };
            answer(format_args!("{word:<8} {:<20} {}", rule.name, indented(text)));
            if let Outcome::Broken(problem) | Outcome::Doubtful(problem) = outcome {
                answer(format_args!("         expected: {}", rule.what));
                answer(format_args!("         why: {} ({})", rule.why, rule.source));
                answer(format_args!("         fix: {}", indented(&problem.fix)));
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let rules: Vec<Value> = self
            .ordered()
            .map(|(rule, outcome)| {
                let (state, text, fix) = match outcome {
                    Outcome::Holds(what) => ("ok", what, None),
                    Outcome::Doubtful(problem) => ("warning", &problem.what, Some(&problem.fix)),
                    Outcome::Broken(problem) => ("broken", &problem.what, Some(&problem.fix)),
                    Outcome::NotLooked(why) => ("skipped", why, None),
                };
                json!({
                    "rule": rule.name, "state": state, "found": text, "fix": fix,
                    "expected": rule.what, "why": rule.why, "source": rule.source,
                })
            })
            .collect();
        json!({ "ready": self.findings() == 0, "findings": self.findings(), "rules": rules })
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n           ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for (n, rule) in DOCTOR.iter().enumerate() {
            assert!(DOCTOR[..n].iter().all(|other| other.name != rule.name), "{}", rule.name);
            assert!(
                rule.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
        }
    }

    #[test]
    fn only_what_is_broken_is_a_finding() {
        let mut report = Report::default();
        report.holds("disk", "much");
        report.doubtful(Problem::new("slow", "wait").of("mirror"));
        report.not_looked("chroot", "no engine");
        assert_eq!(report.findings(), 0);
        report.broken(Problem::new("little", "buy").of("memory"));
        assert_eq!(report.findings(), 1);
        let json = report.json();
        assert_eq!(json["ready"], false);
        assert_eq!(json["rules"].as_array().unwrap().len(), 4);
    }
}
